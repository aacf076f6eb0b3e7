#!/usr/bin/env bash
# Makes a small base image of this machine's own Node for hosts that can pull none, and prints its tag: BASE_IMAGE of the Dockerfiles.
#   ./scripts/base-image.sh            node, sh, and the commands below
#   ./scripts/base-image.sh --python   the same with python3 and its standard library
# It goes to the daemon that DOCKER_HOST names. An image that this script made of the same programs is used again.
set -euo pipefail

commands=(base64 basename cat chmod chown cp cut date dd df dirname echo env expr false find fold grep head hostname id kill ln ls mkdir mkfifo mktemp
  mv nproc od printf ps pwd readlink realpath rm rmdir sed seq sha256sum sleep sort stat tail tar tee test timeout touch tr true uname uniq wc xargs)

main() {
  local python='' argument
  for argument in "$@"; do
    case "$argument" in
      --python) python="$(python3 -c 'import os, sys; print(os.path.realpath(sys.executable))')" ;;
      *) echo "base-image.sh: unknown argument $argument; it takes --python" >&2; exit 64 ;;
    esac
  done

  local node tag
  node="$(node -p process.execPath)"
  tag="tandem-base:node-$(node -p process.versions.node)${python:+-python-$("$python" -c 'import platform; print(platform.python_version())')}"
  tag+="-$(cat "${BASH_SOURCE[0]}" "$node" | sha256sum | head -c 8)"
  if docker image inspect "$tag" >/dev/null 2>&1; then echo "$tag"; return; fi

  root="$(mktemp -d)"
  trap 'rm -rf "$root"' EXIT
  chmod 755 "$root"
  lay_out
  add_programs "$node"
  if [[ -n "$python" ]]; then add_python "$python"; fi
  tar -C "$root" --owner=0 --group=0 --numeric-owner -c . |
    docker import --change 'ENV PATH=/usr/local/bin:/usr/bin:/bin' --change 'CMD ["node"]' - "$tag" >/dev/null
  echo "$tag"
}

lay_out() {
  mkdir -p "$root"/{dev,etc/ssl/certs,opt,proc,root,run,sys,usr/bin,usr/lib,usr/lib64,usr/local/bin,var}
  mkdir -m 1777 "$root/tmp" "$root/var/tmp"
  local name
  for name in bin lib lib64; do ln -s "usr/$name" "$root/$name"; done
  printf 'root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n' >"$root/etc/passwd"
  printf 'root:x:0:\nnogroup:x:65534:\n' >"$root/etc/group"
  echo 'hosts: files dns' >"$root/etc/nsswitch.conf"
  if [[ -f /etc/ssl/certs/ca-certificates.crt ]]; then cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"; fi
}

add_programs() {
  local name path
  install -D "$1" "$root/usr/local/bin/node"
  add_libraries "$1"
  for name in sh "${commands[@]}"; do
    # `type -P` and not the shell's own; what this machine lacks the image lacks too.
    if path="$(type -P "$name")"; then install -D "$(realpath "$path")" "$root/usr/bin/$name"; add_libraries "$path"; fi
  done
  # TensorFlow asks for librt by its name, though nothing has been in it for years.
  for path in /lib/*/libnss_dns.so.2 /lib/*/libnss_files.so.2 /lib/*/librt.so.1; do
    if [[ -f "$path" ]]; then install -D "$path" "$root$path"; fi
  done
}

# Python finds its library from where its program is, so both stay where they are on this machine.
add_python() {
  local library
  library="$("$1" -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')"
  install -D "$1" "$root$1"
  if [[ ! -e "$root/usr/bin/python3" ]]; then ln -s "$1" "$root/usr/bin/python3"; fi
  mkdir -p "$root$library"
  tar -C "$library" --exclude=site-packages --exclude=dist-packages --exclude=test --exclude=tests --exclude=idlelib --exclude=tkinter \
    --exclude=ensurepip --exclude=lib2to3 --exclude='config-*' --exclude=__pycache__ -c . | tar -C "$root$library" -x
  add_libraries "$1" "$root$library"/lib-dynload/*.so
}

# What the dynamic linker would load, under the names by which it asks.
add_libraries() {
  local library
  while read -r library; do
    if [[ ! -e "$root$library" ]]; then install -D "$library" "$root$library"; fi
  done < <(ldd "$@" 2>/dev/null | grep -oE '/[^ ]+\.so[^ ]* \(' | cut -d' ' -f1 | sort -u)
}

main "$@"
