"""A Merkle tree as RFC 9162 §2.1 hashes it, over leaves that only ever get more. No I/O.

`Frontier` is what a log needs to go on: the roots of the complete subtrees a tree of its size is made of, one for each one in the binary
form of the size. Proofs are made from the roots of complete subtrees (`Nodes`) and checked without any.
No library of a licence we can take does this in Python; the test vectors are those of RFC 6962's reference implementations.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

HASH_BYTES: Final = 32
EMPTY: Final = hashlib.sha256(b"").digest()
"""The root of a tree without leaves (RFC 9162 §2.1.1)."""
Node: TypeAlias = tuple[int, int]
"""A complete subtree of 2**height leaves, the index-th of its height: (height, index)."""
Nodes: TypeAlias = Mapping[Node, bytes]


class ProofRefused(ValueError):
    """A proof does not prove what it should; the message says which rule failed."""


def hash_leaf(leaf: bytes) -> bytes:
    """Return the hash of a leaf (RFC 9162 §2.1.1)."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def hash_node(left: bytes, right: bytes) -> bytes:
    """Return the hash of a node of two children (RFC 9162 §2.1.1)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def complete_subtrees(start: int, end: int) -> list[Node]:
    """Return the complete subtrees the leaves from `start` up to, not including, `end` are made of, from left to right.

    `start` has to be a multiple of the largest power of two that is less than the number of leaves, as it is for every part of a tree.
    """
    found: list[Node] = []
    while start < end:
        height = (end - start).bit_length() - 1
        if start:
            height = min(height, (start & -start).bit_length() - 1)
        found.append((height, start >> height))
        start += 1 << height
    return found


def root_of(hashes: Sequence[bytes]) -> bytes:
    """Return the root over the roots of complete subtrees, given from left to right, each smaller than the one before."""
    if not hashes:
        return EMPTY
    root = hashes[-1]
    for left in reversed(hashes[:-1]):
        root = hash_node(left, root)
    return root


@dataclass(slots=True)
class Frontier:
    """A tree that grows: its size, and the roots of the complete subtrees it is made of, the largest first."""

    size: int = 0
    hashes: list[bytes] = field(default_factory=list)

    def append(self, leaf_hash: bytes) -> Iterator[tuple[Node, bytes]]:
        """Add a leaf; yield every subtree that it completes, the leaf itself first. To be exhausted."""
        node, index, height = leaf_hash, self.size, 0
        yield (0, index), node
        while index & 1:
            node, index, height = hash_node(self.hashes.pop(), node), index >> 1, height + 1
            yield (height, index), node
        self.hashes.append(node)
        self.size += 1

    def root(self) -> bytes:
        """Return the root of the tree as it is."""
        return root_of(self.hashes)

    def copy(self) -> Frontier:
        """Return one that grows by itself."""
        return Frontier(self.size, list(self.hashes))


def split(size: int) -> int:
    """Return the largest power of two smaller than `size` (RFC 9162 §2.1.1), for a size of two or more."""
    return 1 << (size - 1).bit_length() - 1


Part: TypeAlias = tuple[int, int]
"""Leaves from the first up to, not including, the second."""


def inclusion_path(position: int, size: int) -> list[Part]:
    """Return the parts whose roots prove that the leaf at `position` is in the tree of `size`, the nearest first (RFC 9162 §2.1.3.1)."""
    if not 0 <= position < size:
        raise ValueError("the leaf is not in the tree")
    parts: list[Part] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + split(end - start)
        if position < middle:
            parts.append((middle, end))
            end = middle
        else:
            parts.append((start, middle))
            start = middle
    return parts[::-1]


def consistency_path(earlier: int, later: int) -> list[Part]:
    """Return the parts whose roots prove that the tree of `later` leaves begins with that of `earlier` (RFC 9162 §2.1.4.1)."""
    if not 0 < earlier <= later:
        raise ValueError("the earlier tree has leaves, and no more than the later")
    parts: list[Part] = []
    start, end, whole = 0, later, True  # whether the earlier tree's root is that of the part
    while earlier != end:
        middle = start + split(end - start)
        if earlier <= middle:
            parts.append((middle, end))
            end = middle
        else:
            parts.append((start, middle))
            start, whole = middle, False
    if not whole:
        parts.append((start, end))
    return parts[::-1]


def nodes_needed(parts: Sequence[Part]) -> list[Node]:
    """Return the complete subtrees that the roots of parts of a tree are made from."""
    return [node for part in parts for node in complete_subtrees(*part)]


def roots(parts: Sequence[Part], nodes: Nodes) -> list[bytes]:
    """Return the roots of parts of a tree."""
    return [root_of([nodes[node] for node in complete_subtrees(*part)]) for part in parts]


def check_inclusion(leaf_hash: bytes, position: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Check that a leaf is in a tree (RFC 9162 §2.1.3.2). Raises `ProofRefused`."""
    if not 0 <= position < size:
        raise ProofRefused("the position lies outside the tree")
    at, last, found = position, size - 1, leaf_hash
    for step in proof:
        if last == 0:
            raise ProofRefused("the proof is too long")
        if at & 1 or at == last:
            found = hash_node(step, found)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            found = hash_node(found, step)
        at, last = at >> 1, last >> 1
    if last:
        raise ProofRefused("the proof is too short")
    if found != root:
        raise ProofRefused("the leaf is not in the tree with this root")


def check_consistency(earlier: int, later: int, proof: Sequence[bytes], earlier_root: bytes, later_root: bytes) -> None:
    """Check that a tree begins with an earlier one (RFC 9162 §2.1.4.2). Raises `ProofRefused`."""
    if not 0 <= earlier <= later:
        raise ProofRefused("the earlier tree is larger")
    if earlier in (0, later):
        if proof:
            raise ProofRefused("the proof is too long")
        if earlier_root != (later_root if earlier else EMPTY):
            raise ProofRefused("two roots for one size")
        return
    steps = [earlier_root, *proof] if earlier & (earlier - 1) == 0 else list(proof)
    if not steps:
        raise ProofRefused("the proof is too short")
    at, last = earlier - 1, later - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    before = after = steps[0]
    for step in steps[1:]:
        if last == 0:
            raise ProofRefused("the proof is too long")
        if at & 1 or at == last:
            before, after = hash_node(step, before), hash_node(step, after)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            after = hash_node(after, step)
        at, last = at >> 1, last >> 1
    if last:
        raise ProofRefused("the proof is too short")
    if before != earlier_root:
        raise ProofRefused("the earlier root does not follow from the proof")
    if after != later_root:
        raise ProofRefused("the later tree does not begin with the earlier one")
