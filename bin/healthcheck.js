// For the container's HEALTHCHECK: exits with 0 if the node on this machine says that it is healthy.
// Follows TIDEWAY_HTTP_PORT; a port from a file or a flag needs a health check of its own.
const port = process.env.TIDEWAY_HTTP_PORT || '8080';
const host = process.env.TIDEWAY_HOST || '127.0.0.1';
const address = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host.includes(':') ? `[${host}]` : host;

try {
  const answer = await fetch(`http://${address}:${port}/healthz`, { signal: AbortSignal.timeout(2_000) });
  process.exitCode = answer.ok ? 0 : 1;
} catch {
  process.exitCode = 1;
}
