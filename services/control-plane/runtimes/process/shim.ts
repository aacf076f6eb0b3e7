/** Files the shim keeps in its state directory; each appears whole, by rename. */
export const shimFiles = {
  started: 'started',
  shim: 'shim',
  command: 'command',
  outOfMemory: 'out-of-memory',
  exit: 'exit',
} as const;

/**
 * The parent of a role: a POSIX shell that outlives the control plane and writes down how the role ended.
 * Arguments: the state directory, then the command. `mkdir started` succeeds once, so a second start does nothing.
 * `shim` and `command` hold `<pid> <start time> <boot id>`; `exit` holds the exit code, 128 + n for signal n.
 *
 * `out-of-memory` appears when the command was killed and the kernel's count of processes that it killed in this cgroup for want of memory
 * (`oom_kill` in cgroups v2 and v1) has grown meanwhile.
 *
 * The command gets a session of its own, so that its whole group can be killed while the shim survives to write the exit code.
 * `wait` returns early when the shim itself gets a signal; it is repeated while the command lives. The traps are handlers, not `trap ''`,
 * because an ignored signal would be inherited by the command. The shell would print "Killed" among the program's own lines, so its stderr is closed.
 *
 * On a full disk a command that cannot be noted does not run, or it would be started a second time; an exit code waits until there is room for it.
 */
export const shimScript = `
state=$1
shift
mkdir "$state/started" 2>/dev/null || exit 0
trap : HUP INT TERM
read -r boot < /proc/sys/kernel/random/boot_id
identify() {
  read -r stat < "/proc/$2/stat"
  name=$1
  pid=$2
  set -- \${stat##*) }
  printf '%s %s %s\\n' "$pid" "\${20}" "$boot" > "$state/$name.tmp" && mv "$state/$name.tmp" "$state/$name"
}
oom_kills() {
  while IFS=: read -r id controllers group; do
    case "$id,$controllers," in
      *,memory,*) files="/sys/fs/cgroup/memory$group/memory.oom_control /sys/fs/cgroup/memory/memory.oom_control" ;;
      0,,) files="/sys/fs/cgroup$group/memory.events /sys/fs/cgroup/memory.events" ;;
      *) continue ;;
    esac
    for file in $files; do
      [ -r "$file" ] || continue
      while read -r key count; do
        [ "$key" = oom_kill ] && printf '%s' "$count" && return
      done < "$file"
    done
  done < /proc/self/cgroup
}
identify shim $$ || { rmdir "$state/started"; exit 0; }
kills=$(oom_kills)
setsid "$@" < /dev/null &
child=$!
exec 2>/dev/null
identify command "$child" || kill -9 "$child"
while :; do
  wait "$child"
  code=$?
  kill -0 "$child" 2>/dev/null || break
done
if [ "$code" = 137 ] && [ "$(oom_kills)" -gt "\${kills:-0}" ]; then
  : > "$state/out-of-memory"
fi
until printf '%s\\n' "$code" > "$state/exit.tmp" && mv "$state/exit.tmp" "$state/exit"; do
  [ -d "$state" ] || exit 0
  sleep 1
done
`;
