#!/usr/bin/env bash
# Runs the field's load scenarios of tcpkali against weir-serve, a fresh one for each, and sums up.
#
#   tools/tcpkali.sh [flood | flood-echo | rate | churn | broadcast]...     default: all
#
# Environment: TCPKALI, SERVE (programs), DURATION, CONNECTIONS, SIZE (seconds, number, bytes).
# tcpkali masks with key 0 and checks no answer, so the server's counters are checked here; it opens
# 100 connections a second unless told, answers no ping, leaves Nagle on, and floods without
# reading its answers as fast, which an echo server with a strict queue has to cut off.
# Exit status 1: weir-serve died, or failed, refused or dropped what it should not have.
set -euo pipefail
cd "$(dirname "$0")/.."

TCPKALI=${TCPKALI:-$(command -v tcpkali || true)}
SERVE=${SERVE:-build/bin/weir-serve}
DURATION=${DURATION:-5}
CONNECTIONS=${CONNECTIONS:-100}
SIZE=${SIZE:-64}

if [ -z "$TCPKALI" ]; then
  echo 'SKIPPED: there is no tcpkali on PATH. Its sources are satori-com/tcpkali on GitHub. With'
  echo 'autoconf, automake, libtool, bison and flex: autoreconf -iv && ./configure'
  echo 'CFLAGS="-O2 -fcommon" && make; where sys/sysctl.h is gone, an empty one on the include path'
  echo 'does. Then: TCPKALI=path/to/tcpkali tools/tcpkali.sh'
  exit 0
fi
if [ ! -x "$SERVE" ]; then
  echo "tcpkali.sh: there is no $SERVE: make it first" >&2
  exit 2
fi

scratch=$(mktemp -d)
server=
stop() {
  [ -z "$server" ] || kill "$server" 2>/dev/null || true
  rm -rf "$scratch"
}
trap stop EXIT

# A core each for the server and for tcpkali, where there are two that may be used.
mapfile -t cores < <(taskset -pc $$ | sed 's/.*: //' | tr , '\n' |
  awk -F- '{ for (i = $1; i <= ($2 == "" ? $1 : $2); i++) print i }')
on_core() { # place, command...
  local place=$1
  shift
  if [ "${#cores[@]}" -ge 2 ]; then exec taskset -c "${cores[$place]}" "$@"; else exec "$@"; fi
}

start_server() { # mode
  : >"$scratch/out"
  (on_core 0 "$SERVE" --port 0 --mode "$1" --ping-ms 0) >"$scratch/out" 2>"$scratch/err" &
  server=$!
  local tries=100
  until grep -q listening "$scratch/out"; do
    tries=$((tries - 1))
    if [ "$tries" = 0 ] || ! kill -0 "$server" 2>/dev/null; then
      echo "  FAILED: weir-serve did not start: $(head -3 "$scratch/err")"
      return 1
    fi
    sleep 0.05
  done
  port=$(sed -n 's/^listening on .*://p' "$scratch/out")
}

number() { # file, pattern with one group: its first match, or 0
  sed -n "s/.*$2.*/\1/p" "$1" | head -1 | grep . || echo 0
}

counter() { number "$scratch/out" "$1 \([0-9]*\)"; }
messages() { number "$scratch/out" "[ :]\([0-9]*\) $1"; }

# What the server took, before it is stopped, and its counters, when it has stopped.
stop_server() {
  cpu_ns=$(cat /proc/"$server"/task/*/schedstat 2>/dev/null | awk '{ n += $1 } END { print n + 0 }')
  peak_kb=$(awk '/^VmHWM/ { print $2 }' /proc/"$server"/status 2>/dev/null || echo 0)
  kill "$server" 2>/dev/null || true
  status=0
  wait "$server" || status=$?
  server=
}

bad=0
expect() { # what, value, test(1)'s operator and operand
  [ "$2" "$3" "$4" ] && return
  echo "  FAILED: $1 is $2, should be $3 $4"
  bad=1
}

summary() { # unit of work, how many were done
  local seconds sent
  seconds=$(number "$scratch/kali" 'Test duration: \([0-9.]*\) s')
  sent=$(sed -n 's/.*latency at percentiles: //p' "$scratch/kali")
  awk -v unit="$1" -v done="$2" -v s="$seconds" -v cpu="$cpu_ns" -v peak="${peak_kb:-0}" 'BEGIN {
    printf "  %.0f %s/s over %.1f s; server: %.0f ns of CPU for each, %.0f %% of a core, %.1f MB\n",
      s ? done / s : 0, unit, s, done ? cpu / done : 0, s ? cpu / s / 1e7 : 0, peak / 1024 }'
  [ -z "$sent" ] || echo "  latency: $sent"
  sed '1d;s/^/  weir-serve: /' "$scratch/out"
}

run() { # title, mode, tcpkali's options...
  local mode=$2
  local shown="${*:3}"
  echo "$1: weir-serve --mode $mode, tcpkali ${shown/$payload/<$SIZE bytes>}"
  start_server "$mode" || { bad=1; return 1; }
  local kali=0
  (on_core 1 "$TCPKALI" --ws -w1 --connect-rate 1000 -T"${DURATION}s" "${@:3}" "127.0.0.1:$port") \
    >"$scratch/kali" 2>&1 || kali=$?
  stop_server
  expect "tcpkali's status" "$kali" -eq 0
  expect "weir-serve's status" "$status" -eq 0
  expect "connections that were opened" "$(counter opened)" -gt 0
  expect "requests refused" "$(counter refused)" -eq 0
  expect "connections failed" "$(counter failed)" -eq 0
}

nothing_dropped() {
  expect "messages dropped" "$(messages dropped)" -eq 0
  expect "lines of errors" "$(grep -c . "$scratch/err" || true)" -eq 0
}

payload=$(head -c "$SIZE" /dev/zero | tr '\0' x)

flood() { # as many messages as go, for a server that only reads
  run flood sink -c "$CONNECTIONS" -m "$payload" || return 0
  nothing_dropped
  expect "messages received" "$(messages received)" -gt 0
  summary messages "$(messages received)"
}

flood_echo() { # the same for one that answers: who does not read its answers is cut off
  run flood-echo echo -c "$CONNECTIONS" -m "$payload" || return 0
  summary messages "$(messages received)"
  echo "  cut off for a full queue: $(messages dropped) connections"
  expect "errors that are no full queue" "$(grep -vc 'queue is full' "$scratch/err" || true)" -eq 0
  # A queue holds 1 MiB at most, and a loop some buffers.
  expect "peak memory in KB" "${peak_kb:-0}" -lt $((CONNECTIONS * 1024 + 16384))
}

rate() { # a steady rate, timed by a marker in each message
  run rate echo -c "$CONNECTIONS" -r 1000 --nagle off --latency-marker abcd \
    --latency-percentiles 50,95,99,99.9,100 -m "abcd$payload" || return 0
  nothing_dropped
  expect "messages answered" "$(messages sent)" -eq "$(messages received)"
  summary messages "$(messages received)"
}

churn() { # connections that stay a moment
  run churn echo -c "$CONNECTIONS" --connect-rate 500 --channel-lifetime 0.2s -r 100 \
    -m "$payload" || return 0
  nothing_dropped
  # The test's end cuts off some that are just connecting.
  expect "connections opened" "$(counter opened)" -ge $(($(counter accepted) - CONNECTIONS))
  expect "connections closed" "$(counter closed)" -eq "$(counter opened)"
  summary connections "$(counter opened)"
}

broadcast() { # each message goes to all, and holds the time when it was sent
  run broadcast all -c "$CONNECTIONS" -r 4 --nagle off \
    --latency-percentiles 50,95,99,99.9,100 -m "\\{message.marker}$payload" || return 0
  nothing_dropped
  expect "deliveries" "$(messages sent)" -gt "$(messages received)"
  summary deliveries "$(messages sent)"
}

[ $# -gt 0 ] || set -- flood flood-echo rate churn broadcast
for scenario in "$@"; do
  case $scenario in
    flood | flood-echo | rate | churn | broadcast) "${scenario//-/_}" ;;
    *)
      sed -n '2,11s/^# \{0,1\}//p' "$0"
      exit 2
      ;;
  esac
done
exit "$bad"
