#!/usr/bin/env bash
# Installs TensorFlow for the engines `node` and `gpu` (TANDEM_TF). Without it everything runs too, on wasm.
#   ./scripts/install-tensorflow.sh                      --cuda where nvidia-smi shows a GPU and there is a build for it (x64), else --cpu
#   ./scripts/install-tensorflow.sh --cpu                the C library of PyPI's wheel, and tfjs-node's addon built against it and OpenBLAS: 270 MiB to fetch, 0.9 GB on disk
#   ./scripts/install-tensorflow.sh --cuda               the same for GPUs, with CUDA and cuDNN: 3.2 GiB to fetch, 5.5 GB on disk; needs the driver alone (525 or newer)
#   ./scripts/install-tensorflow.sh --published [--cuda] tfjs-node as its makers publish it: TensorFlow 2.9.1, for GPUs CUDA 11.2 and cuDNN 8.1 of your own
# Everything goes to TANDEM_TENSORFLOW_HOME (default ~/.cache/tandem/tensorflow); what is there is not fetched again. PIP_INDEX_URL names a mirror of PyPI.
# Needs curl, unzip or python3, and a C++ compiler (CXX, default g++).
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
package="$here/../node_modules/@tensorflow/tfjs-node-gpu"
home="${TANDEM_TENSORFLOW_HOME:-$HOME/.cache/tandem/tensorflow}"
index="${PIP_INDEX_URL:-https://pypi.org/simple}"
compiler="${CXX:-g++}"
machine="$(uname -m)"
# Wheels, and what is taken out of them, at once.
declare -A space_mib=([cpu]=1200 [cuda]=10000 [published]=2500)

main() {
  local variant='' published=''
  while [[ $# -gt 0 ]]; do
    case "$1" in
      --cpu) variant=cpu ;;
      --cuda) variant=cuda ;;
      --published) published=yes ;;
      *) fail 64 "unknown argument $1; it takes --cpu, --cuda, --published" ;;
    esac
    shift
  done
  if [[ -z "$variant" ]]; then variant="$(nvidia-smi -L >/dev/null 2>&1 && wheels_of cuda >/dev/null && echo cuda || echo cpu)"; fi
  need node 'Node.js 20.19 or 22'
  mkdir -p "$home"
  if command -v flock >/dev/null; then exec 9>"$home/.lock"; flock 9; fi
  if [[ -n "$published" ]]; then install_published "$variant"; else install_wheels "$variant"; fi
}

wheels_of() {
  grep "^$1 $machine " "$here/tensorflow/wheels.txt"
}

install_wheels() {
  local variant="$1" version target stamp
  wheels="$(wheels_of "$variant")" \
    || fail 69 "PyPI has no TensorFlow ($variant) for $(uname -s) $machine; $(wheels_of cpu >/dev/null && echo 'use --cpu' || echo 'TANDEM_TF=wasm computes everywhere')"
  version="$(sed -E '1!d; s/.* tensorflow(_cpu)?-([0-9.]+)-.*/\2/' <<<"$wheels")"
  target="$home/$version-$variant-$machine"
  [[ -d "$package/binding" ]] || fail 69 "the package @tensorflow/tfjs-node-gpu is not installed; run ./scripts/install.sh first, without --omit=optional"
  stamp="$(cat "$package"/binding/* "$here"/tensorflow/* | sha256sum | cut -c1-32)"
  if [[ "$(cat "$target/.installed" 2>/dev/null || true)" != "$stamp" ]]; then
    need curl curl
    command -v unzip >/dev/null || need python3 'unzip or python3'
    command -v "$compiler" >/dev/null || fail 69 "no C++ compiler ($compiler): apt-get install g++, dnf install gcc-c++, or set CXX"
    need_space "$variant"
    rm -rf "$target.new"
    mkdir -p "$target.new"
    fetch_wheels "$target.new"
    build_addon "$target.new"
    check_addon "$target.new"
    echo "$stamp" >"$target.new/.installed"
    rm -rf "$target" && mv "$target.new" "$target"
    rm -rf "$home/downloads"
  fi
  publish "$variant" "$(basename "$target")"
}

# The directory is laid out as pip would: the libraries find each other by that.
fetch_wheels() {
  local target="$1" wheel sha256 mib count=0 total
  total="$(wc -l <<<"$wheels")"
  mkdir -p "$home/downloads"
  while read -r _ _ wheel sha256 mib; do
    count=$((count + 1))
    echo "[$count/$total] $wheel ($mib MiB)"
    fetch "$wheel" "$sha256"
    unpack "$home/downloads/$wheel" "$target"
    rm -f "$home/downloads/$wheel"
  done <<<"$wheels"
}

# Goes on where a fetch was broken off.
fetch() {
  local wheel="$1" sha256="$2" file="$home/downloads/$1" url
  if [[ "$(sha256_of "$file")" == "$sha256" ]]; then return; fi
  if [[ "$(sha256_of "$file.part")" != "$sha256" ]]; then
    url="$(find_url "$wheel")"
    download "$url" "$file.part" || fail 75 "$wheel could not be fetched (no network, or no disk?); run this again to go on where it ended"
  fi
  if [[ "$(sha256_of "$file.part")" != "$sha256" ]]; then
    rm -f "$file.part"
    fail 65 "$wheel is not what was published: its sha256 should be $sha256. Run this again; if it stays so, look at the mirror or proxy in between"
  fi
  mv "$file.part" "$file"
}

download() {
  local url="$1" file="$2" status=0 progress=(--silent --show-error)
  if [[ -t 2 ]]; then progress=(--progress-bar); fi
  local with=(--fail --location --retry 5 --retry-connrefused --connect-timeout 30 "${progress[@]}" --output "$file")
  curl "${with[@]}" --continue-at - "$url" || status=$?
  # 33: a server that cannot go on in the middle.
  if [[ $status == 33 ]]; then rm -f "$file"; status=0; curl "${with[@]}" "$url" || status=$?; fi
  return "$status"
}

# By PyPI's simple index, which every mirror has: https://peps.python.org/pep-0503/
find_url() {
  local wheel="$1" name="${1%%-*}" page="$home/downloads/index.html"
  name="${name//_/-}"
  curl --fail --location --silent --show-error --retry 3 --connect-timeout 30 --output "$page" "${index%/}/$name/" \
    || fail 75 "the package index does not answer for $name; set PIP_INDEX_URL to one that can be reached, or HTTPS_PROXY"
  node -e '
    const [page, base, wheel] = process.argv.slice(1);
    const links = [...fs.readFileSync(page, "utf8").matchAll(/href="([^"#]+)/g)].map(([, link]) => link.replaceAll("&amp;", "&"));
    const link = links.find((each) => decodeURIComponent(each.split("/").at(-1)) === wheel);
    if (link === undefined) process.exit(1);
    console.log(new URL(link, base).href);
  ' "$page" "${index%/}/$name/" "$wheel" || fail 69 "the package index has no $wheel"
}

# Libraries, and those headers that the addon is built with.
unpack() {
  local wheel="$1" target="$2"
  local members=('tensorflow/libtensorflow_*' 'tensorflow/include/tensorflow/c/*' 'tensorflow/include/tensorflow/core/platform/*'
    'tensorflow/include/tensorflow/core/common_runtime/next_pluggable_device/c/*' 'tensorflow/include/tsl/platform/*' 'tensorflow/include/xla/tsl/c/*' 'nvidia/*.so*' 'nvidia/*/bin/*' 'nvidia/*/nvvm/*'
    'scipy_openblas32/include/*.h' 'scipy_openblas32/lib/*.so' 'scipy_openblas32-*/licenses/*')
  if command -v unzip >/dev/null; then
    # 11: a pattern that matches nothing, as each does in some wheel.
    unzip -q -o "$wheel" "${members[@]}" -d "$target" 2>/dev/null || [[ $? == 11 ]] || fail 74 "$(basename "$wheel") could not be unpacked (is the disk full?)"
  else
    python3 -c '
import fnmatch, sys, zipfile
wheel, target, *patterns = sys.argv[1:]
with zipfile.ZipFile(wheel) as archive:
    archive.extractall(target, [n for n in archive.namelist() if any(fnmatch.fnmatch(n, p) for p in patterns)])
' "$wheel" "$target" "${members[@]}" || fail 74 "$(basename "$wheel") could not be unpacked (is the disk full?)"
  fi
}

build_addon() {
  local target="$1" headers log name library rpath='$ORIGIN/tensorflow:$ORIGIN/scipy_openblas32/lib' cuda=() before=()
  headers="$(node_headers "$target")"
  # TensorFlow opens these by their bare names, and finds what the addon has loaded already: so nobody has to set LD_LIBRARY_PATH.
  for name in cudart cublasLt cublas cufft curand nvJitLink cusparse cusolver nvrtc cudnn; do
    for library in "$target"/nvidia/*/lib/lib"$name".so.*; do
      if [[ ! -e "$library" ]]; then continue; fi
      cuda+=("$library")
      library="${library#"$target"/}"
      rpath+=":\$ORIGIN/${library%/*}"
    done
  done
  # Functions of TensorFlow's that ahead.cc stands before.
  for name in TF_NewTensor TFE_NewContext TFE_Execute TFE_TensorHandle{NumDims,Dim,Resolve,CopyToDevice} TFE_DeleteTensorHandle; do before+=("-Wl,--wrap=$name"); done
  log="$target/build.log"
  echo "Building tfjs-node's addon with $compiler ..."
  "$compiler" -std=c++17 -O3 -fPIC -shared -DNAPI_VERSION=8 -DNODE_GYP_MODULE_NAME=tfjs_binding -DBUILDING_NODE_EXTENSION \
    -I"$headers" -I"$target/tensorflow/include" -I"$target/scipy_openblas32/include" -I"$package" "$package"/binding/*.cc "$here"/tensorflow/*.cc -o "$target/tfjs_binding.node" \
    -Wl,-z,nodelete "${before[@]}" -Wl,--no-as-needed "${cuda[@]+"${cuda[@]}"}" -L"$target/tensorflow" -l:libtensorflow_cc.so.2 -l:libtensorflow_framework.so.2 \
    -L"$target/scipy_openblas32/lib" -l:libscipy_openblas.so "-Wl,-rpath,$rpath" >"$log" 2>&1 \
    || { tail -n 20 "$log" >&2; fail 70 "the addon could not be built; the compiler's words are above"; }
  rm -rf "$log" "$target/tensorflow/include" "$target/scipy_openblas32/include" "$target/node-headers"
}

# Those of Node-API alone, which do not change with Node: beside node, where its packages put them, else from npm.
node_headers() {
  local prefix directory
  prefix="$(dirname "$(dirname "$(node -p process.execPath)")")"
  for directory in "$prefix/include/node" /usr/include/node /usr/include/nodejs/src; do
    if [[ -f "$directory/node_api.h" ]]; then echo "$directory"; return; fi
  done
  mkdir -p "$1/node-headers"
  (cd "$1/node-headers" && npm pack --silent node-api-headers@1.9.0 >/dev/null && tar -xzf node-api-headers-*.tgz) \
    || fail 75 'the headers of Node-API are not beside node, and npm could not fetch node-api-headers'
  echo "$1/node-headers/package/include"
}

check_addon() {
  local version
  version="$(node -p 'require(process.argv[1]).TF_Version' "$1/tfjs_binding.node" 2>"$1/check.log")" \
    || { tail -n 5 "$1/check.log" >&2; fail 70 'the addon was built and does not load'; }
  rm -f "$1/check.log"
  echo "TensorFlow $version loads"
}

# tfjs-node's own installer, in a directory of its own: npm ci would remove what it puts into ours.
install_published() {
  local variant="$1" name=tfjs-node target log
  if [[ "$variant" == cuda ]]; then name=tfjs-node-gpu; fi
  target="$home/published-$variant"
  local addon="$target/node_modules/@tensorflow/$name/lib/napi-v8"
  if [[ ! -f "$target/.installed" ]]; then
    need_space published
    rm -rf "$target"
    mkdir -p "$target"
    log="$home/published-$variant.log"
    echo "Installing @tensorflow/$name 4.22.0 with its own scripts (from storage.googleapis.com) ..."
    npm install --prefix "$target" --no-save --no-audit --no-fund --ignore-scripts=false "@tensorflow/$name@4.22.0" >"$log" 2>&1 \
      || { tail -n 5 "$log" >&2; fail 75 "tfjs-node's own installer failed ($log); without it: ./scripts/install-tensorflow.sh --$variant"; }
    [[ -f "$addon/tfjs_binding.node" ]] || fail 75 "tfjs-node's own installer left no addon ($log); without it: ./scripts/install-tensorflow.sh --$variant"
    check_addon "$addon"
    touch "$target/.installed"
  fi
  publish "$variant" "published-$variant/node_modules/@tensorflow/$name/lib/napi-v8"
}

# What programs that run have open stays theirs.
publish() {
  ln -sfn "$2" "$home/.$1.new"
  mv -T "$home/.$1.new" "$home/$1"
  echo "$home/$1 -> $2"
}

need() { command -v "$1" >/dev/null || fail 69 "$2 is needed and not installed"; }

need_space() {
  local needed="${space_mib[$1]}" free
  free="$(df -Pm "$home" | awk 'NR == 2 { print $4 }')"
  (( free >= needed )) || fail 73 "$home has $free MiB free and $needed are needed; free some, or set TANDEM_TENSORFLOW_HOME"
}

sha256_of() { if [[ -f "$1" ]]; then sha256sum "$1" | cut -d' ' -f1; fi; }

fail() { echo "install-tensorflow.sh: $2" >&2; exit "$1"; }

main "$@"
