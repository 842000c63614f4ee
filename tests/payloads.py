"""Texts that an attacker would write into a backup, and what no output may contain because of them.

`found_in` does not use the package: it says what terminals and CI systems obey, in its own words.
"""

from __future__ import annotations

import unicodedata

PAYLOADS = {
    "colour": "a\x1b[31mred\x1b[0m",
    "clear screen": "\x1b[2J\x1b[H",
    "title": "\x1b]0;owned\x07",
    "link": "\x1b]8;;https://evil.example\x1b\\click\x1b]8;;\x1b\\",
    "clipboard": "\x1b]52;c;cm0gLXJmIC8=\x07",
    "csi of one byte": "a\x9b31mb\x9d0;t\x9c",
    "nul": "a\x00b",
    "backspace": "passed\x08\x08\x08\x08\x08\x08failed",
    "carriage return": "failed\rpassed",
    "line feed": "a\nHINT: all is well.",
    "both": "a\r\nrun 1: PASSED",
    "other lines": "a\x0bb\x0cc\x1cd\x1ee\x85f\u2028g\u2029h",
    "tab": "a\tb",
    "reversal": "drill\u202egpj.exe",
    "isolates": "\u2066a\u2067b\u2068c\u2069\u202a\u202b\u202c\u202d",
    "marks": "a\u200eb\u200fc\u061cd",
    "nothing wide": "sh\u200bo\u200c\u200d\u2060\ufeffp\u00ad",
    "tags": "a\U000e0041\U000e0042",
    "fillers": "a\u115f\u1160\u3164\uffa0b",
    "half": "a\ud800b\udfff",
    "no characters": "a\ufdd0\ufffe\uffff\U0001fffe\U0010ffff",
    "annotation": "a\ufff9b\ufffac\ufffb",
    "github": "::error file=a.py,line=1::owned",
    "github after blanks": " \t\u00a0::add-mask::a",
    "github on a line of its own": "a\n::stop-commands::x\n::set-output name=a::b",
    "github, older": "a ##[add-path]/tmp/evil",
    "github, oldest": "##[set-env name=PATH;]/tmp",
    "azure": "a##vso[task.setvariable variable=PATH]/tmp/evil",
    "azure twice": "###vso[task.complete result=Succeeded;]##vso[task.debug]x",
    "gitlab": "section_start:1560896352:owned\r\x1b[0Kowned\nsection_end:1560896353:owned\r\x1b[0K",
    "teamcity": "##teamcity[buildStatus status='SUCCESS' text='owned']",
    "buildkite": "--- owned\n+++ owned\n~~~ owned\n^^^ +++",
    "travis": "travis_fold:start:owned\r\x1b[0K",
    "wrapped": "x" * 75 + " ::error::owned " + "y" * 90 + " ::error::owned --- owned",
    "html": "<script>alert('x')</script><img src=x onerror=alert(1)></pre></style>-->]]>",
    "markdown": "[a](https://evil.example) ![b](//evil.example/c) `d` **e** | f | www.evil.example",
    "mention": "@everyone, @octocat and @org/team",
    "xml": "&xxe; <!DOCTYPE a [<!ENTITY b 'c'>]> &#0; ]]>",
    "formula": "=cmd|'/c calc'!A1",
    "long": "n" * 200_000,
    "long and hidden": "\u202e" * 30_000,
}
"""By what they try."""

ORDINARY = (
    "Bücher für Köln: ça coûte 5 € — naïve façade",
    "漢字とかな 한국어 ไทย العربية עברית हिन्दी",
    "elephant 🐘, heart ❤️, thumbs 👍🏽, flag 🇩🇪",
    "psql:<stdin>:3: ERROR: 'x'::text, a::int, tests/test_a.py::test_b[c-1] -- ## heading --> ok",
    "::1 and fe80::1 are addresses; --no-owner, +1, ~ and ^",
)
"""Texts that stay as they are."""

_SHOWN_AS_NOTHING = set("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u3164\uffa0\u2065")

_ANYWHERE = ("##[", "##vso[", "##teamcity[")
_HEADINGS = ("---", "+++", "~~~", "^^^")
_MARKERS = ("section_start:", "section_end:", "travis_fold:", "travis_time:")


def found_in(output: str) -> list[str]:
    """Return what in `output` is hidden, or is a command to a CI system; its lines may be many."""
    hidden = [f"hidden: {character!a}" for character in set(output) if _is_hidden(character)]
    lines = (line for line in output.split("\n") if _is_command(line))
    return hidden + [f"command: {line[:200]!r}" for line in lines]


def _is_hidden(character: str) -> bool:
    number = ord(character)
    return character not in "\n\t" and (
        unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp"}
        or character in _SHOWN_AS_NOTHING
        or 0xFDD0 <= number <= 0xFDEF
        or number & 0xFFFE == 0xFFFE
    )


def _is_command(line: str) -> bool:
    start = line.strip()
    words = line.split()
    return (
        any(command in line for command in _ANYWHERE)
        or (start.startswith("::") and start[2:3].isalpha())
        or (words[:1] != [] and words[0] in _HEADINGS)
        or start.startswith(_MARKERS)
    )
