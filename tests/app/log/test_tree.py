"""The tree against the definitions of RFC 9162 §2.1 written down as they stand there, and against known vectors."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.log import tree
from app.log.tree import Frontier, ProofRefused
from tests.makers.effort import examples

# the leaves and roots by which implementations of RFC 6962 are tested (transparency-dev/merkle: testonly/constants.go)
LEAVES = [
    bytes.fromhex(each)
    for each in (
        "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
    )
]  # fmt: skip
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def mth(leaves: list[bytes]) -> bytes:
    """RFC 9162 §2.1.1, word for word."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\0" + leaves[0]).digest()
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return hashlib.sha256(b"\1" + mth(leaves[:k]) + mth(leaves[k:])).digest()


def path(m: int, leaves: list[bytes]) -> list[bytes]:
    """RFC 9162 §2.1.3.1."""
    if len(leaves) == 1:
        return []
    k = tree.split(len(leaves))
    if m < k:
        return [*path(m, leaves[:k]), mth(leaves[k:])]
    return [*path(m - k, leaves[k:]), mth(leaves[:k])]


def subproof(m: int, leaves: list[bytes], whole: bool) -> list[bytes]:
    """RFC 9162 §2.1.4.1."""
    if m == len(leaves):
        return [] if whole else [mth(leaves)]
    k = tree.split(len(leaves))
    if m <= k:
        return [*subproof(m, leaves[:k], whole), mth(leaves[k:])]
    return [*subproof(m - k, leaves[k:], False), mth(leaves[:k])]


def grown(leaves: list[bytes]) -> tuple[Frontier, dict[tree.Node, bytes], list[bytes]]:
    """The tree, all its complete subtrees, and its root at each size."""
    frontier, nodes, roots = Frontier(), {}, [tree.EMPTY]
    for leaf in leaves:
        nodes.update(frontier.append(tree.hash_leaf(leaf)))
        roots.append(frontier.root())
    return frontier, nodes, roots


def test_has_the_known_roots_at_every_size() -> None:
    assert [root.hex() for root in grown(LEAVES)[2]] == ROOTS


def test_proves_what_is_in_it_and_what_it_began_as_like_the_rfc_says() -> None:
    """Every leaf, size and pair of sizes of trees up to 33 leaves, against the recursive definitions."""
    leaves = [bytes([n]) * n for n in range(33)]
    _, nodes, roots = grown(leaves)
    for size in range(1, len(leaves) + 1):
        assert roots[size] == mth(leaves[:size])
        for position in range(size):
            proof = tree.roots(tree.inclusion_path(position, size), nodes)
            assert proof == path(position, leaves[:size]), (position, size)
            tree.check_inclusion(tree.hash_leaf(leaves[position]), position, size, proof, roots[size])
        for earlier in range(1, size + 1):
            proof = tree.roots(tree.consistency_path(earlier, size), nodes)
            assert proof == subproof(earlier, leaves[:size], True), (earlier, size)
            tree.check_consistency(earlier, size, proof, roots[earlier], roots[size])
    tree.check_consistency(0, 5, [], roots[0], roots[5])


def test_proves_nothing_else() -> None:
    """Each wrong leaf, position, size, root, and each proof with a step too few, too many or another, is refused."""
    leaves = [bytes([n]) for n in range(21)]
    _, nodes, roots = grown(leaves)
    other = bytes(32)
    for size in (1, 2, 7, 16, 21):
        for position in range(size):
            leaf, proof = tree.hash_leaf(leaves[position]), tree.roots(tree.inclusion_path(position, size), nodes)
            wrong = [
                (other, position, size, proof, roots[size]),
                (leaf, position, size, [*proof, other], roots[size]),
                (leaf, position, size, proof, other),
                (leaf, size, size, proof, roots[size]),
                (leaf, -1, size, proof, roots[size]),
                *((leaf, at, size, proof, roots[size]) for at in range(size) if at != position),
            ]
            if proof:
                wrong += [
                    (leaf, position, size, proof[:-1], roots[size]),
                    (leaf, position, size, [other, *proof[1:]], roots[size]),
                ]
            for each in wrong:
                with pytest.raises(ProofRefused):
                    tree.check_inclusion(*each)
        for earlier in range(1, size):
            proof = tree.roots(tree.consistency_path(earlier, size), nodes)
            wrong_pairs = [
                (earlier, size, [*proof, other], roots[earlier], roots[size]),
                (earlier, size, proof[:-1], roots[earlier], roots[size]),
                (earlier, size, [], roots[earlier], roots[size]),
                (earlier, size, proof, other, roots[size]),
                (earlier, size, proof, roots[earlier], other),
                (size, earlier, proof, roots[size], roots[earlier]),
                (size, size, [], roots[size], other),
                (0, size, [], other, roots[size]),
                (size, size, [other], roots[size], roots[size]),
                *(
                    (earlier, size, [*proof[:at], other, *proof[at + 1 :]], roots[earlier], roots[size])
                    for at in range(len(proof))
                ),
            ]
            for pair in wrong_pairs:
                with pytest.raises(ProofRefused):
                    tree.check_consistency(*pair)


@settings(max_examples=examples(40), deadline=None)
@given(st.integers(1, 3000), st.data())
def test_grows_the_same_in_whatever_batches(size: int, data: st.DataObject) -> None:
    leaves = [n.to_bytes(3, "big") for n in range(size)]
    frontier, nodes, roots = grown(leaves)
    earlier = data.draw(st.integers(1, size))
    at = data.draw(st.integers(0, size - 1))
    taken_up = Frontier(earlier, [nodes[node] for node in tree.complete_subtrees(0, earlier)])
    assert taken_up.root() == roots[earlier]
    for leaf in leaves[earlier:]:
        list(taken_up.append(tree.hash_leaf(leaf)))
    assert taken_up == frontier
    path = tree.inclusion_path(at, size)
    tree.check_inclusion(tree.hash_leaf(leaves[at]), at, size, tree.roots(path, nodes), roots[size])
    steps = tree.consistency_path(earlier, size)
    tree.check_consistency(earlier, size, tree.roots(steps, nodes), roots[earlier], roots[size])
    assert len(path) <= size.bit_length()
