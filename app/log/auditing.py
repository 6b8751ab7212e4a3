"""The whole log checked from a file: what was changed, removed, put in or moved, and where. No database, no network, constant memory.

A file is a stream of documents, one a line (`rujukan log export`): first `log`, then for each position `entry`, after it the `subtree`s it
completes and the `checkpoint` over it, at last the entries without a position, and `end`. Two trees are grown from it: one over what the
entries hash to, one over the hashes that were stored. Each signed checkpoint says which of them is right.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from app.log import notes, tree
from app.log.leaf import leaf_of
from app.log.notes import Checkpoint, NoteRefused, Verifier
from app.log.tree import Frontier

FORM: Final = 1
"""The version of the file's form."""
BITS: Final = 8
_NOTHING: Final = bytes(tree.HASH_BYTES)
_MOST_DOUBTS: Final = 10_000
_LARGEST_GAP: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong."""

    what: str
    """A code: `entry_changed`, `entry_missing`, …"""
    position: int | None
    """The first position that is wrong, as exactly as it can be told."""
    until: int | None = None
    """Where it cannot be told exactly: the last position that it may be."""
    says: str = ""


@dataclass(slots=True)
class Audit:
    """A check under way. `feed` it the lines in order, then `finish` it; both yield what is wrong."""

    trusted: Sequence[Verifier]
    kept: Mapping[int, bytes] = field(default_factory=dict)
    """Roots by size, of checkpoints that were kept elsewhere: they count more than the file's own."""
    entries: int = 0
    waiting: int = 0
    checkpoints: int = 0
    sealed: int = 0
    """Up to here the log is sealed: the size of the last checkpoint that holds."""
    _by_entry: Frontier = field(default_factory=Frontier)
    _by_hash: Frontier = field(default_factory=Frontier)
    _sound: int = 0
    _doubts: list[int] = field(default_factory=list)
    """Positions since the last checkpoint where entry and stored hash do not go together."""
    _subtrees: dict[tuple[int, int], set[bytes]] = field(default_factory=dict)
    """The stored subtrees that have to come now, with what either tree says of them."""
    _lost: bool = False
    """A checkpoint did not hold: nothing after it can be told for certain."""
    _told: bool = False
    """What keeps the next checkpoint from holding was said already."""
    _last_checkpoint: int = 0
    _ended: bool = False

    def feed(self, line: Mapping[str, Any]) -> Iterator[Finding]:
        """Take one line of the file."""
        kind = line.get("type")
        if self._ended:
            yield Finding("after_the_end", None, says="the file goes on after its end")
        elif kind == "entry":
            yield from self._entry(line)
        elif kind == "subtree":
            yield from self._subtree(line)
        elif kind == "checkpoint":
            yield from self._checkpoint(str(line.get("note")))
        elif kind == "unplaced":
            yield from self._unplaced(line)
        elif kind == "end":
            self._ended = True
        elif kind != "log":
            yield Finding("unreadable", self._by_hash.size, says="a line is none of a log's")

    def finish(self) -> Iterator[Finding]:
        """Say what can be said at the end only."""
        size = self._by_hash.size
        yield from self._missing_subtrees()
        if not self._ended:
            yield Finding("cut_off", size, says="the file is not whole: its last line is missing")
        if self._last_checkpoint < size and not self._lost:
            yield Finding(
                "no_checkpoint", self._last_checkpoint, size - 1, "the last positions stand under no checkpoint"
            )
        yield from self._tell_doubts(entry_is_wrong=None)
        for kept in sorted(each for each in self.kept if each > size):
            yield Finding(
                "entries_missing", size, kept - 1, f"a checkpoint you kept has {kept} entries, the file has {size}"
            )

    # positions

    def _entry(self, line: Mapping[str, Any]) -> Iterator[Finding]:
        yield from self._missing_subtrees()
        position = line.get("position")
        if position != self._by_hash.size:
            yield from self._misplaced(position)
        at = self._by_hash.size
        stored = _hash(line.get("hash"))
        if stored is None:
            yield Finding("unreadable", at, says="the stored hash cannot be read")
        entry = line.get("entry")
        if entry is None:
            yield Finding("entry_missing", at, says="the entry is gone, or its id or its time was changed")
            self._grow(stored or _NOTHING, stored or _NOTHING)
        else:
            computed = _computed(entry)
            if computed != stored:
                self._doubts.append(at)
                if self._lost or len(self._doubts) > _MOST_DOUBTS:
                    yield from self._tell_doubts(entry_is_wrong=None)
            elif entry.get("id") != line.get("entry_id"):
                yield Finding("entry_changed", at, says="another entry stands at the position than its row says")
            self._grow(computed, stored or _NOTHING)
        self.entries += 1
        size = self._by_hash.size
        if (
            size in self.kept
            and self.kept[size] not in (self._by_hash.root(), self._by_entry.root())
            and not self._lost
        ):
            yield from self._lose(f"they are not what the checkpoint of size {size} that you kept was signed over")

    def _misplaced(self, position: Any) -> Iterator[Finding]:
        """Say what is wrong with a position, and go on at it if that leaves a gap."""
        at = self._by_hash.size
        if isinstance(position, int) and at < position <= at + _LARGEST_GAP:
            yield Finding("leaf_missing", at, position - 1, "the positions are gone from the tree")
            for _ in range(at, position):
                self._grow(_NOTHING, _NOTHING)
            self._subtrees = {}
        else:
            yield Finding("position", at, says=f"position {position} stands where {at} should")
        self._told = True

    def _grow(self, computed: bytes, stored: bytes) -> None:
        self._subtrees = {}
        for frontier, leaf in ((self._by_entry, computed), (self._by_hash, stored)):
            for (height, index), node in frontier.append(leaf):
                if height and height % BITS == 0:
                    self._subtrees.setdefault((height // BITS, index), set()).add(node)

    def _subtree(self, line: Mapping[str, Any]) -> Iterator[Finding]:
        level, position, stored = line.get("level"), line.get("position"), _hash(line.get("hash"))
        if not isinstance(level, int) or not isinstance(position, int) or not 1 <= level <= 7:
            yield Finding("unreadable", self._by_hash.size, says="a stored root of a subtree cannot be read")
        elif stored not in self._subtrees.pop((level, position), ()):
            first, last = position << level * BITS, (position + 1 << level * BITS) - 1
            yield Finding("subtree_changed", first, last, "the stored root of these positions is not theirs")

    def _missing_subtrees(self) -> Iterator[Finding]:
        for level, position in self._subtrees:
            first, last = position << level * BITS, (position + 1 << level * BITS) - 1
            yield Finding("subtree_missing", first, last, "the stored root of these positions is gone")
        self._subtrees = {}

    # checkpoints

    def _checkpoint(self, note: str) -> Iterator[Finding]:
        size = self._by_hash.size
        self.checkpoints += 1
        yield from self._missing_subtrees()
        try:
            found, _ = notes.verify(note, self.trusted)
        except NoteRefused as refused:
            yield Finding("checkpoint_changed", self._last_checkpoint, size - 1, f"the checkpoint over them: {refused}")
            return
        if found.size != size:
            says = f"the checkpoint of size {found.size} stands at {size}"
            yield Finding("checkpoint_moved", min(size, found.size), max(size, found.size) - 1, says)
            return
        if self.kept.get(size, found.root) != found.root:
            yield Finding("two_roots", None, says=f"the checkpoint of size {size} is not the one you kept")
        self._last_checkpoint = size
        if not self._lost:
            yield from self._held(found)

    def _held(self, found: Checkpoint) -> Iterator[Finding]:
        """Say which of the two trees the checkpoint is of; where it is of neither, what can be told of where it went wrong."""
        by_entry, by_hash = self._by_entry.root() == found.root, self._by_hash.root() == found.root
        if not by_entry and not by_hash:
            yield from self._lose(f"they are not what the checkpoint of size {found.size} was signed over")
            return
        yield from self._tell_doubts(entry_is_wrong=by_hash)
        right = self._by_hash if by_hash else self._by_entry
        self._by_entry, self._by_hash = right.copy(), right.copy()
        self._sound = self.sealed = found.size
        self._told = False

    def _lose(self, says: str) -> Iterator[Finding]:
        if not self._doubts and not self._told:
            says += ": an entry and its hash were changed together, put in, taken out or moved"
            yield Finding("not_as_signed", self._sound, self._by_hash.size - 1, says)
        yield from self._tell_doubts(entry_is_wrong=None)
        self._lost = True

    def _tell_doubts(self, *, entry_is_wrong: bool | None) -> Iterator[Finding]:
        what, says = {
            True: ("entry_changed", "the entry is not the one that was sealed"),
            False: ("hash_changed", "the stored hash is not that of the entry, which is as it was sealed"),
            None: ("entry_changed", "the entry and the hash stored for it do not go together"),
        }[entry_is_wrong]
        for position in self._doubts:
            yield Finding(what, position, says=says)
        self._doubts = []

    def _unplaced(self, line: Mapping[str, Any]) -> Iterator[Finding]:
        if line.get("waits"):
            self.waiting += 1
            return
        id = (line.get("entry") or {}).get("id")
        yield Finding(
            "entry_put_in",
            None,
            says=f"the entry {id} was never written as entries are: it has no position and waits for none",
        )


def _computed(entry: Any) -> bytes:
    try:
        return tree.hash_leaf(leaf_of(entry))
    except (TypeError, ValueError, RecursionError):
        return _NOTHING


def _hash(value: Any) -> bytes | None:
    try:
        found = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError, TypeError):
        return None
    return found if len(found) == tree.HASH_BYTES else None
