# One Tideway node. Any base with Node >= 20.19 will do:
#   docker build -t tideway .
#   docker run --rm -p 1935:1935 -p 8080:8080 --read-only --cap-drop ALL tideway
ARG BASE=node:20-bookworm-slim

FROM ${BASE} AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-fund --no-audit
COPY tsconfig.json tsconfig.build.json ./
COPY src src
COPY web web
RUN npm run build

FROM ${BASE} AS packages
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --omit=dev --no-fund --no-audit && rm -rf "$HOME/.npm"

FROM ${BASE}
LABEL org.opencontainers.image.title="tideway" \
      org.opencontainers.image.description="Live-media relay: RTMP in; HTTP-FLV, WS-FLV and RTMP out" \
      org.opencontainers.image.licenses="Apache-2.0"
ENV NODE_ENV=production
WORKDIR /app
COPY LICENSE NOTICE package.json config.example.yaml ./
COPY bin bin
COPY --from=packages /app/node_modules node_modules
COPY --from=build /app/dist dist

# No name is needed for the user, and nothing in the image belongs to it: it writes nowhere.
USER 10001:10001
# RTMP, HTTP, mesh.
EXPOSE 1935 8080 7935
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s --retries=3 \
  CMD ["node", "bin/healthcheck.js"]
ENTRYPOINT ["node", "bin/tideway.js"]
CMD ["start"]
