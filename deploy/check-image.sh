#!/usr/bin/env bash
# The inside of build-image.sh, in fresh namespaces: runs the image's file system as a container engine would with
# --read-only --cap-drop ALL, and checks it. IMAGE_* in the environment say what the image asks for. ffmpeg is the machine's own.
set -euo pipefail

root="$IMAGE_ROOT" uid="${IMAGE_USER%:*}" gid="${IMAGE_USER#*:}"
read -ra start_command <<<"$IMAGE_COMMAND"
read -ra health_command <<<"$IMAGE_HEALTHCHECK"
played_packets=100
events="$(mktemp)"
trap 'rm -f "$events"' EXIT

say() { echo "check-image: $*" >&2; }
fail() { say "FAILED: $*"; tail -n 20 "$events" >&2; exit 1; }

as_image=(
  chroot "$root"
  setpriv --reuid "$uid" --regid "$gid" --clear-groups --bounding-set=-all --inh-caps=-all --no-new-privs
  env -i -C "$IMAGE_WORKDIR" PATH=/usr/local/bin:/usr/bin:/bin NODE_ENV=production
)

status_of() { awk -v field="$1:" '$1 == field { print $2 }' "/proc/$node/status"; }

mount --make-rprivate /
mount --bind "$root" "$root"
mount -o remount,bind,ro "$root"
mount -t proc proc "$root/proc"
mount -t proc proc /proc
mount -t tmpfs -o mode=755,size=1m tmpfs "$root/dev"
for device in null zero random urandom; do
  touch "$root/dev/$device"
  mount --bind "/dev/$device" "$root/dev/$device"
done
ip link set lo up

"${as_image[@]}" node -e 'require("node:fs").writeFileSync("/app/x", "")' 2>"$events" && fail 'the file system can be written to'
grep -q EROFS "$events" || fail 'a write was refused, but not for a read-only file system'
: >"$events"

"${as_image[@]}" "${start_command[@]}" >"$events" 2>&1 &
node=$!
for _ in {1..100}; do
  "${as_image[@]}" "${health_command[@]}" && break
  kill -0 "$node" 2>/dev/null || fail 'the node ended'
  sleep 0.1
done
"${as_image[@]}" "${health_command[@]}" || fail 'the node is not healthy after 10 s'
say "healthy: $(status_of Name), pid $node, uid $(status_of Uid), capabilities $(status_of CapEff), bounded by $(status_of CapBnd)"
[[ $(status_of Uid) == 10001 ]] || fail 'the node runs as another user'
for set in CapEff CapPrm CapInh CapBnd CapAmb; do
  [[ $(status_of $set) == 0000000000000000 ]] || fail "the node has capabilities: $set"
done

ffmpeg -v error -re -f lavfi -i testsrc=size=320x180:rate=25 -f lavfi -i sine -c:v libx264 -preset ultrafast -g 25 \
  -pix_fmt yuv420p -c:a aac -t 60 -f flv rtmp://127.0.0.1:1935/live/show >/dev/null 2>&1 &
publisher=$!
# A player may come before its publisher: it is waited for.
played="$(timeout 30 ffprobe -v error -read_intervals "%+#$played_packets" -show_entries packet=codec_type -of csv=p=0 \
  http://127.0.0.1:8080/live/show.flv 2>&1 | sort | uniq -c | tr -s '\n ' ' ')" || fail "nothing was played: $played"
say "published by RTMP, played by HTTP-FLV:$played"
[[ $played == *audio*video* ]] || fail 'what was played lacks pictures or sound'

# With its publisher connected.
kill -TERM "$node"
ended=0
wait "$node" || ended=$?
[[ $ended -eq 0 ]] || fail "on SIGTERM the node exited with $ended"
say 'stopped on SIGTERM, exit 0'
wait "$publisher" || true
