#!/usr/bin/env bash
# Builds the image of ../Dockerfile with Debian's buildah, without a container engine, and runs it once: read-only,
# as its own user, without capabilities, in a network of its own, with a publisher and a player. Publishes nothing. Needs root on Debian.
#
#   deploy/build-image.sh              # everything in a temporary folder, which goes at the end
#   STORE=/somewhere deploy/build-image.sh   # keeps the images there, and uses its base again
set -euo pipefail

project="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
base=localhost/tideway-base
image=localhost/tideway
scratch="$(mktemp -d)"
store="${STORE:-$scratch/store}"

say() { echo "build-image: $*" >&2; }
fail() { say "$*"; exit 1; }
build() { buildah --root "$store/images" --runroot "$scratch/run" --storage-driver vfs "$@"; }

clean_up() {
  build umount --all >/dev/null 2>&1 || true
  build rm --all >/dev/null 2>&1 || true
  rm -rf "$scratch"
}

need_programs() {
  [[ $(id -u) -eq 0 ]] || fail 'run this as root'
  local missing=()
  command -v buildah >/dev/null || missing+=(buildah)
  command -v debootstrap >/dev/null || missing+=(debootstrap)
  command -v ip >/dev/null || missing+=(iproute2)
  command -v ffmpeg >/dev/null || missing+=(ffmpeg)
  [[ ${#missing[@]} -eq 0 ]] && return
  say "installing ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq >&2
  apt-get install -qq -y --no-install-recommends "${missing[@]}" >&2
}

# What `node:20-bookworm-slim` has, made of this machine's own parts: Debian from its apt sources, Node and npm.
make_base() {
  local root="$scratch/base" mirror release
  read -r mirror release < <(
    apt-get indextargets --format '$(REPO_URI) $(CODENAME) $(COMPONENT) $(ORIGIN)' 'Created-By: Packages' |
      awk '$3 == "main" && $4 == "Debian" && $2 !~ /-/ { print $1, $2; exit }'
  ) || fail 'no apt source has the main component of a Debian release'
  say "making a base of Debian $release and Node $(node --version)"
  debootstrap --variant=minbase --include=ca-certificates "$release" "$root" "$mirror" >"$scratch/debootstrap.log" 2>&1 ||
    fail "debootstrap: $(tail -n 1 "$scratch/debootstrap.log")"
  rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/var/log/* "$root"/usr/share/{doc,man,locale}/*
  # The machine's mirror is nobody else's business.
  : >"$root/etc/apt/sources.list"
  install -m 755 "$(node -p process.execPath)" "$root/usr/local/bin/node"
  mkdir -p "$root/usr/local/lib/node_modules"
  cp -r "$(npm root -g)/npm" "$root/usr/local/lib/node_modules/npm"
  ln -s ../lib/node_modules/npm/bin/npm-cli.js "$root/usr/local/bin/npm"

  local container
  container="$(build from scratch)"
  build add --quiet "$container" "$root" / >/dev/null
  build config --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$container"
  build commit --quiet --rm "$container" "$base" >/dev/null
  rm -rf "$root"
}

# npm in the build asks the registry that npm asks here, and trusts whom it trusts here; neither stays in the image.
make_image() {
  local mounts=(--volume "$scratch/npmrc:/root/.npmrc:ro")
  echo "registry=$(npm config get registry)" >"$scratch/npmrc"
  if [[ -n ${NODE_EXTRA_CA_CERTS:-} ]]; then
    echo 'cafile=/run/extra-ca.crt' >>"$scratch/npmrc"
    mounts+=(--volume "$(readlink -f "$NODE_EXTRA_CA_CERTS"):/run/extra-ca.crt:ro")
  fi
  say 'building the image'
  build bud --isolation chroot --pull-never --format docker --network host "${mounts[@]}" \
    --build-arg "BASE=$base" --tag "$image" "$project" >"$scratch/build.log" 2>&1 ||
    { tail -n 40 "$scratch/build.log" >&2; fail 'the image did not build'; }
}

# Runs and checks the image in namespaces of its own; nothing of it outlives this function.
run_image() {
  say 'running the image: read-only, without capabilities'
  IMAGE_ROOT="$root" IMAGE_USER="$(setting User)" IMAGE_WORKDIR="$(setting WorkingDir)" \
    IMAGE_COMMAND="$(words Entrypoint) $(words Cmd)" IMAGE_HEALTHCHECK="$(words Healthcheck.Test)" \
    unshare --mount --net --pid --ipc --uts --fork --kill-child bash "$project/deploy/check-image.sh"
}

setting() { build inspect --type image --format "{{.Docker.Config.$1}}" "$image"; }
# A list of words without spaces in them; Docker's marker "CMD" is none of them.
words() {
  build inspect --type image --format "{{range .Docker.Config.$1}}{{if ne . \"CMD\"}}{{.}} {{end}}{{end}}" "$image"
}
megabytes() { du -sm --apparent-size "$1" | cut -f1; }

trap clean_up EXIT
need_programs
mkdir -p "$store/images"
build inspect --type image "$base" >/dev/null 2>&1 || make_base
make_image
root="$(build mount "$(build from --pull-never "$image")")"
run_image
say "image: $(megabytes "$root") MB, of which Tideway and its packages $(megabytes "$root/app") MB"
