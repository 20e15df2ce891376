// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Administered} from "./Administered.sol";
import {HospitalRegistry} from "./HospitalRegistry.sol";

/// @title An append-only trail of who did what to which record, why, and on what basis.
/// @notice Each entry extends a rolling head and becomes a leaf of a Merkle tree, so that one entry is proved in 32
///         hashes and the whole trail is checked in one pass. A pause stops every append, and with it every decision.
/// @dev Proves order and integrity, not completeness: an act that nobody reports leaves no entry. The tree is the
///      incremental one of Ethereum's deposit contract, with leaves, nodes and root kept apart by a prefix.
contract AuditTrail is Administered {
    /// @notice What was decided. `Reported` and `Anchored` record what happened outside the chain.
    enum Decision {
        Denied,
        Permitted,
        Emergency,
        Reported,
        Anchored
    }

    /// @notice Only a contract that the owner named may append decisions.
    error AuditWriterForbidden(address caller);
    /// @notice A batch holds at least one entry, and its root is not zero.
    error AuditBatchEmpty();

    /// @notice An entry was appended.
    event AuditAppended(
        uint64 indexed sequence,
        bytes32 indexed actor,
        bytes32 indexed record,
        uint64 time,
        uint8 purpose,
        uint8 action,
        Decision decision,
        bytes32 basis,
        bytes32 evidence,
        bytes32 head
    );
    /// @notice A contract may append decisions, or no longer may.
    event AuditWriterChanged(address indexed writer, bool allowed);

    /// @notice Levels of the tree above its leaves.
    uint256 public constant DEPTH = 32;

    /// @notice The registry whose hospitals act.
    HospitalRegistry public immutable registry;
    /// @notice keccak256 of the head before and the last leaf; zero before the first entry.
    bytes32 public head;
    /// @notice How many entries there are.
    uint64 public size;
    /// @notice Which contracts may append decisions.
    mapping(address writer => bool) public writers;

    bytes32[DEPTH] private _branch;

    /// @param admin Owner; handing over takes two steps.
    /// @param registry_ Registry of the hospitals.
    constructor(address admin, HospitalRegistry registry_) Administered(admin) {
        registry = registry_;
    }

    /// @notice Lets a contract append decisions, or stops it.
    function setWriter(address writer, bool allowed) external onlyOwner whenNotPaused {
        writers[writer] = allowed;
        emit AuditWriterChanged(writer, allowed);
    }

    /// @notice Appends a decision.
    /// @param actor Hospital that asked.
    /// @param record Random pseudonym of the record.
    /// @param purpose Purpose of use. @param action One action.
    /// @param decision What was decided.
    /// @param basis The consent, the justification, or the reason of a refusal.
    /// @param evidence Digest of what the actor keeps about the act; zero if nothing.
    function append(
        bytes32 actor,
        bytes32 record,
        uint8 purpose,
        uint8 action,
        Decision decision,
        bytes32 basis,
        bytes32 evidence
    ) external whenNotPaused {
        if (!writers[msg.sender]) revert AuditWriterForbidden(msg.sender);
        _append(actor, record, purpose, action, decision, basis, evidence);
    }

    /// @notice Reports an act of the calling hospital that no contract decided.
    function report(bytes32 record, uint8 purpose, uint8 action, bytes32 evidence) external whenNotPaused {
        (bytes32 actor,) = registry.requireActive(msg.sender);
        _append(actor, record, purpose, action, Decision.Reported, 0, evidence);
    }

    /// @notice Anchors a batch of entries that the calling hospital keeps off chain.
    /// @param batchRoot Root of their Merkle tree. @param entries How many they are.
    function anchor(bytes32 batchRoot, uint64 entries) external whenNotPaused {
        if (batchRoot == 0 || entries == 0) revert AuditBatchEmpty();
        (bytes32 actor,) = registry.requireActive(msg.sender);
        _append(actor, 0, 0, 0, Decision.Anchored, bytes32(uint256(entries)), batchRoot);
    }

    /// @notice The root of the tree of all entries, bound to their number.
    function root() external view returns (bytes32) {
        bytes32 node = 0;
        bytes32 zero = 0;
        uint256 left = size;
        for (uint256 level = 0; level < DEPTH; ++level) {
            node = left & 1 == 1 ? _node(_branch[level], node) : _node(node, zero);
            zero = _node(zero, zero);
            left >>= 1;
        }
        return keccak256(abi.encodePacked(bytes1(0x02), node, size));
    }

    function _append(
        bytes32 actor,
        bytes32 record,
        uint8 purpose,
        uint8 action,
        Decision decision,
        bytes32 basis,
        bytes32 evidence
    ) private {
        uint64 sequence = size;
        uint64 time = uint64(block.timestamp);
        bytes32 leaf = keccak256(
            bytes.concat(
                bytes1(0x00), abi.encode(sequence, time, actor, record, purpose, action, decision, basis, evidence)
            )
        );
        bytes32 extended = keccak256(abi.encode(head, leaf));
        head = extended;
        size = sequence + 1;
        _insert(leaf, uint256(sequence) + 1);
        emit AuditAppended(
            sequence, actor, record, time, purpose, action, decision, basis, evidence, extended
        );
    }

    /// @dev At most 32 steps, one and a bit on average; 2^32 entries are out of reach of any chain.
    function _insert(bytes32 node, uint256 count) private {
        uint256 level = 0;
        while (count & 1 == 0) {
            node = _node(_branch[level], node);
            count >>= 1;
            ++level;
        }
        _branch[level] = node;
    }

    function _node(bytes32 left, bytes32 right) private pure returns (bytes32) {
        return keccak256(abi.encodePacked(bytes1(0x01), left, right));
    }
}
