// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";

import {Administered} from "./Administered.sol";
import {HospitalRegistry} from "./HospitalRegistry.sol";

/// @title One federated round after the other: commit, reveal, aggregate, finalise or abort.
/// @notice Holds digests, never weights. Each round starts from the model that the last finalised round produced.
///         A pause stops every write; deadlines run on meanwhile.
/// @dev Members are a bitmap taken when the round opens; nothing loops over them except `finalise`, over at most
///      256 signatures. The coordinator can delay or abort a round, but not finalise one without a quorum.
contract FLRoundManager is Administered, EIP712 {
    /// @notice Where a round stands. `Finalised` and `Aborted` are final.
    enum Phase {
        None,
        Commit,
        Reveal,
        Aggregate,
        Finalised,
        Aborted
    }

    /// @notice How long each phase may last, in seconds.
    struct Durations {
        uint32 commit;
        uint32 reveal;
        uint32 aggregate;
    }

    /// @notice One round.
    struct Round {
        Phase phase;
        uint16 memberCount;
        uint16 threshold; // fewest uploads whose sum may be opened
        uint16 commits;
        uint16 reveals;
        uint16 checks; // hospitals that posted their check values
        uint40 revealBy;
        uint40 aggregateBy;
        uint40 deadline; // of the present phase
        uint40 seedBlock; // its hash seeds the verification; 0 before the opened sum is published
        bytes32 model; // SHA-256 of the global weights that the round starts from
        uint256 members; // bit i for hospital i of the registry
        uint64 modulus; // of the check values; 0 if the round demands none
        uint64[2] checkSums; // sums of the check values, modulo `modulus`
        bytes32 seed; // fixed by the first check value
        bytes32 aggregate; // SHA-256 of the published sum of ciphertexts; the key authority opens nothing else
        bytes32 opened; // SHA-256 of what it decrypts to
    }

    /// @notice What a round produced.
    struct Result {
        bytes32 aggregate; // SHA-256 of the published sum of ciphertexts
        bytes32 model; // SHA-256 of the new global weights
        uint16 uploads; // hospitals in the sum
        uint64 epsilonNano; // privacy loss of the round, in 1e-9
        uint64[2] checks; // inner products of the sum with the seeded vectors; 0 if the round demands none
    }

    /// @notice Only the coordinator may do this.
    error FLRoundCallerForbidden(address caller);
    /// @notice Rounds are numbered without gaps: `next` is due.
    error FLRoundNotNext(uint256 round, uint256 next);
    /// @notice The last round is still in `phase`.
    error FLRoundStillRunning(uint256 round, Phase phase);
    /// @notice The round must start from `expected`, the last finalised model.
    error FLRoundModelMismatch(bytes32 given, bytes32 expected);
    /// @notice The threshold must be more than half of the members and at most all.
    error FLRoundThresholdOutOfRange(uint256 threshold, uint256 members);
    /// @notice Each phase needs at least a second.
    error FLRoundDurationZero();
    /// @notice The round is in `actual`, and this needs `required`.
    error FLRoundWrongPhase(uint256 round, Phase actual, Phase required);
    /// @notice The phase ended at `deadline`.
    error FLRoundDeadlinePassed(uint256 round, uint256 deadline, uint256 present);
    /// @notice The phase lasts until `deadline`; until then only the coordinator may end it.
    error FLRoundDeadlineAhead(uint256 round, uint256 deadline, uint256 present);
    /// @notice `name` was not an active hospital when the round opened.
    error FLRoundNotMember(uint256 round, bytes32 name);
    /// @notice `name` committed already.
    error FLRoundAlreadyCommitted(uint256 round, bytes32 name);
    /// @notice `name` did not commit.
    error FLRoundNotCommitted(uint256 round, bytes32 name);
    /// @notice `name` revealed already.
    error FLRoundAlreadyRevealed(uint256 round, bytes32 name);
    /// @notice `name` did not reveal.
    error FLRoundNotRevealed(uint256 round, bytes32 name);
    /// @notice The revealed digest and salt do not open the commitment.
    error FLRoundCommitmentMismatch(bytes32 committed, bytes32 revealed);
    /// @notice A zero commitment, digest, model or coordinator stands for nothing.
    error FLRoundEmpty();
    /// @notice Only `received` of the `required` uploads arrived.
    error FLRoundTooFewUploads(uint256 received, uint256 required);
    /// @notice Only `received` of the `required` signatures were given.
    error FLRoundTooFewSignatures(uint256 received, uint256 required);
    /// @notice The signatures are not in ascending ledger order, or one hospital signed twice.
    error FLRoundSignersUnordered(uint256 index);
    /// @notice The result counts `given` uploads; `revealed` were revealed.
    error FLRoundUploadsMismatch(uint256 given, uint256 revealed);
    /// @notice The sum of ciphertexts of this round was published already.
    error FLRoundAlreadyPublished(uint256 round, bytes32 published);
    /// @notice The round's published digest is `published`, zero if there is none yet.
    error FLRoundNotPublished(uint256 round, bytes32 given, bytes32 published);
    /// @notice The round demands no check values.
    error FLRoundNoChecks(uint256 round);
    /// @notice `name` posted its check values already.
    error FLRoundAlreadyChecked(uint256 round, bytes32 name);
    /// @notice A check value is not below the modulus.
    error FLRoundCheckOutOfRange(uint256 value, uint256 modulus);
    /// @notice Block `seedBlock` is not mined yet.
    error FLRoundSeedNotReady(uint256 seedBlock, uint256 present);
    /// @notice The hash of `seedBlock` is out of the EVM's reach (256 blocks): abort the round.
    error FLRoundSeedLost(uint256 seedBlock, uint256 present);
    /// @notice The published sum does not match what the hospitals uploaded.
    error FLRoundSumForged(uint256 repetition, uint256 published, uint256 uploaded);

    /// @notice A round opened; its members and model are fixed.
    event RoundOpened(
        uint64 indexed round, bytes32 indexed model, uint256 members, uint16 threshold, uint64 modulus, uint40 deadline
    );
    /// @notice A hospital committed.
    event UploadCommitted(uint64 indexed round, bytes32 indexed name, bytes32 commitment);
    /// @notice A hospital opened its commitment: `digest` is the SHA-256 of its ciphertext.
    event UploadRevealed(uint64 indexed round, bytes32 indexed name, bytes32 digest);
    /// @notice A hospital posted the check values of its masked vector.
    event CheckPosted(uint64 indexed round, bytes32 indexed name, uint64[2] values);
    /// @notice The round moved on.
    event PhaseChanged(uint64 indexed round, Phase phase, uint40 deadline);
    /// @notice The sum of ciphertexts was published.
    event AggregatePublished(uint64 indexed round, bytes32 indexed aggregate);
    /// @notice What the sum of ciphertexts decrypts to was published; the seed of the verification comes after it.
    event OpeningPublished(uint64 indexed round, bytes32 indexed opened, uint40 seedBlock);
    /// @notice The seed of the verification was fixed.
    event SeedFixed(uint64 indexed round, bytes32 seed);
    /// @notice A quorum signed the result.
    event RoundFinalised(
        uint64 indexed round, bytes32 indexed aggregate, bytes32 indexed model, uint16 uploads, uint64 epsilonNano,
        uint256 signers
    );
    /// @notice The round ended without a result.
    event RoundAborted(uint64 indexed round, Phase phase, bytes32 reason);
    /// @notice Another account coordinates from now on.
    event CoordinatorChanged(address indexed previous, address indexed coordinator);

    bytes32 private constant RESULT_TYPEHASH = keccak256(
        "Result(uint64 round,bytes32 aggregate,bytes32 model,uint16 uploads,uint64 epsilonNano,uint64[2] checks)"
    );

    /// @notice The registry whose hospitals take part.
    HospitalRegistry public immutable registry;
    /// @notice Who opens and finalises rounds.
    address public coordinator;
    /// @notice The last opened round; 0 before the first.
    uint64 public lastRound;
    /// @notice The last finalised model; zero before the first, which may start anywhere.
    bytes32 public model;

    mapping(uint64 round => Round) private _rounds;
    mapping(uint64 round => mapping(uint8 index => bytes32)) private _commitments;
    mapping(uint64 round => mapping(uint8 index => bytes32)) private _digests;
    mapping(uint64 round => mapping(uint8 index => bool)) private _checked;

    modifier onlyCoordinator() {
        if (msg.sender != coordinator) revert FLRoundCallerForbidden(msg.sender);
        _;
    }

    /// @param admin Owner; handing over takes two steps.
    /// @param registry_ Registry of the hospitals.
    /// @param coordinator_ Who opens and finalises rounds.
    constructor(address admin, HospitalRegistry registry_, address coordinator_)
        Administered(admin)
        EIP712("BFL-STPC FLRoundManager", "1")
    {
        if (coordinator_ == address(0)) revert FLRoundEmpty();
        registry = registry_;
        coordinator = coordinator_;
        emit CoordinatorChanged(address(0), coordinator_);
    }

    /// @notice Names another coordinator.
    function setCoordinator(address coordinator_) external onlyOwner whenNotPaused {
        if (coordinator_ == address(0)) revert FLRoundEmpty();
        emit CoordinatorChanged(coordinator, coordinator_);
        coordinator = coordinator_;
    }

    /// @notice Opens the next round: fixes members, model, threshold and deadlines, and accepts commitments.
    /// @param round The number after the last; an aborted round keeps its number, since masks were bound to it.
    /// @param model_ SHA-256 of the global weights: those of the last finalised round.
    /// @param threshold Fewest uploads whose sum may be opened: more than half of the members.
    /// @param modulus Modulus of the check values; 0 to demand none.
    /// @param durations Seconds for each phase.
    function openRound(uint64 round, bytes32 model_, uint16 threshold, uint64 modulus, Durations calldata durations)
        external
        onlyCoordinator
        whenNotPaused
    {
        if (round != lastRound + 1) revert FLRoundNotNext(round, lastRound + 1);
        Phase last = _rounds[lastRound].phase;
        if (last != Phase.None && last < Phase.Finalised) revert FLRoundStillRunning(lastRound, last);
        if (model_ == 0) revert FLRoundEmpty();
        if (model != 0 && model_ != model) revert FLRoundModelMismatch(model_, model);
        (uint256 members, uint16 memberCount) = registry.activeMembers();
        if (threshold > memberCount || uint256(threshold) * 2 <= memberCount) {
            revert FLRoundThresholdOutOfRange(threshold, memberCount);
        }
        if (durations.commit == 0 || durations.reveal == 0 || durations.aggregate == 0) revert FLRoundDurationZero();

        lastRound = round;
        Round storage r = _rounds[round];
        r.phase = Phase.Commit;
        r.memberCount = memberCount;
        r.threshold = threshold;
        r.deadline = uint40(block.timestamp) + durations.commit;
        r.revealBy = durations.reveal;
        r.aggregateBy = durations.aggregate;
        r.model = model_;
        r.members = members;
        r.modulus = modulus;
        emit RoundOpened(round, model_, members, threshold, modulus, r.deadline);
    }

    /// @notice Commits the calling hospital to one upload. Moves on by itself when every member has committed.
    /// @param round The open round, for whose model the caller must hold a session.
    /// @param commitment See `commitmentOf`; the sender is inside, so that it cannot be copied.
    function commit(uint64 round, bytes32 commitment) external whenNotPaused {
        Round storage r = _inTime(round, Phase.Commit);
        (bytes32 name, uint8 index) = registry.requireSession(msg.sender, round, r.model);
        if ((r.members >> index) & 1 == 0) revert FLRoundNotMember(round, name);
        if (commitment == 0) revert FLRoundEmpty();
        if (_commitments[round][index] != 0) revert FLRoundAlreadyCommitted(round, name);

        _commitments[round][index] = commitment;
        uint16 commits = ++r.commits;
        emit UploadCommitted(round, name, commitment);
        if (commits == r.memberCount) _startReveal(round, r);
    }

    /// @notice Opens the calling hospital's commitment. Moves on by itself when all have revealed.
    /// @param round A round in its reveal phase.
    /// @param digest SHA-256 of the ciphertext that goes to the aggregator.
    /// @param salt 32 bytes that nobody else could guess.
    function reveal(uint64 round, bytes32 digest, bytes32 salt) external whenNotPaused {
        Round storage r = _inTime(round, Phase.Reveal);
        (bytes32 name, uint8 index) = registry.requireActive(msg.sender);
        bytes32 committed = _commitments[round][index];
        if (committed == 0) revert FLRoundNotCommitted(round, name);
        if (digest == 0) revert FLRoundEmpty();
        if (_digests[round][index] != 0) revert FLRoundAlreadyRevealed(round, name);
        bytes32 revealed = commitmentOf(round, msg.sender, digest, salt);
        if (revealed != committed) revert FLRoundCommitmentMismatch(committed, revealed);

        _digests[round][index] = digest;
        uint16 reveals = ++r.reveals;
        emit UploadRevealed(round, name, digest);
        if (reveals == r.commits) _startAggregate(round, r);
    }

    /// @notice Closes the commitments with a threshold of them: the coordinator at will, anyone after the deadline.
    function closeCommits(uint64 round) external whenNotPaused {
        Round storage r = _mayEnd(round, Phase.Commit);
        if (r.commits < r.threshold) revert FLRoundTooFewUploads(r.commits, r.threshold);
        _startReveal(round, r);
    }

    /// @notice Closes the reveals with a threshold of them: the coordinator at will, anyone after the deadline.
    function closeReveals(uint64 round) external whenNotPaused {
        Round storage r = _mayEnd(round, Phase.Reveal);
        if (r.reveals < r.threshold) revert FLRoundTooFewUploads(r.reveals, r.threshold);
        _startAggregate(round, r);
    }

    /// @notice Publishes the sum of ciphertexts, once a round: the key authority opens nothing else.
    /// @param round A round in its aggregate phase.
    /// @param aggregate SHA-256 of the sum of ciphertexts.
    function publishAggregate(uint64 round, bytes32 aggregate) external onlyCoordinator whenNotPaused {
        Round storage r = _inTime(round, Phase.Aggregate);
        if (aggregate == 0) revert FLRoundEmpty();
        if (r.aggregate != 0) revert FLRoundAlreadyPublished(round, r.aggregate);
        r.aggregate = aggregate;
        emit AggregatePublished(round, aggregate);
    }

    /// @notice Publishes what the sum of ciphertexts decrypts to, once a round.
    /// @dev Only now is a block named whose hash seeds the verification: whoever forged the sum had to choose it
    ///      before the seed was known.
    /// @param round A round whose sum of ciphertexts is published.
    /// @param opened SHA-256 of the decrypted slots.
    function publishOpening(uint64 round, bytes32 opened) external onlyCoordinator whenNotPaused {
        Round storage r = _inTime(round, Phase.Aggregate);
        if (opened == 0) revert FLRoundEmpty();
        if (r.aggregate == 0) revert FLRoundNotPublished(round, opened, 0);
        if (r.opened != 0) revert FLRoundAlreadyPublished(round, r.opened);
        r.opened = opened;
        r.seedBlock = uint40(block.number + 1);
        emit OpeningPublished(round, opened, r.seedBlock);
    }

    /// @notice Posts the inner products of the caller's masked vector with the two seeded vectors.
    /// @dev The values are uniform, as the masks are, and add up to those of the sum.
    /// @param round A round in its aggregate phase that demands check values.
    /// @param values Two values below the modulus.
    function postCheck(uint64 round, uint64[2] calldata values) external whenNotPaused {
        Round storage r = _inTime(round, Phase.Aggregate);
        uint64 modulus = r.modulus;
        if (modulus == 0) revert FLRoundNoChecks(round);
        (bytes32 name, uint8 index) = registry.requireActive(msg.sender);
        if (_digests[round][index] == 0) revert FLRoundNotRevealed(round, name);
        if (_checked[round][index]) revert FLRoundAlreadyChecked(round, name);
        for (uint256 i = 0; i < 2; ++i) {
            if (values[i] >= modulus) revert FLRoundCheckOutOfRange(values[i], modulus);
        }
        if (r.seed == 0) {
            r.seed = _seed(round, r);
            emit SeedFixed(round, r.seed);
        }

        _checked[round][index] = true;
        ++r.checks;
        for (uint256 i = 0; i < 2; ++i) {
            r.checkSums[i] = uint64(addmod(r.checkSums[i], values[i], modulus));
        }
        emit CheckPosted(round, name, values);
    }

    /// @notice Fixes the result of `round` and moves the model on. Final: no function reopens a round.
    /// @dev Proves which bytes a quorum vouched for, not that they were computed correctly; with check values, that
    ///      the sum is that of the uploads, if the signers compared `result.checks` with the published sum.
    /// @param round A round in its aggregate phase.
    /// @param result What the round produced.
    /// @param signatures EIP-712 signatures of the result by a threshold of members, in ascending ledger order.
    function finalise(uint64 round, Result calldata result, bytes[] calldata signatures)
        external
        onlyCoordinator
        whenNotPaused
    {
        Round storage r = _inTime(round, Phase.Aggregate);
        if (result.aggregate == 0 || result.model == 0) revert FLRoundEmpty();
        if (result.aggregate != r.aggregate || r.opened == 0) {
            revert FLRoundNotPublished(round, result.aggregate, r.aggregate);
        }
        if (result.uploads != r.reveals) revert FLRoundUploadsMismatch(result.uploads, r.reveals);
        if (r.modulus != 0) {
            if (r.checks < r.reveals) revert FLRoundTooFewUploads(r.checks, r.reveals);
            for (uint256 i = 0; i < 2; ++i) {
                if (result.checks[i] != r.checkSums[i]) {
                    revert FLRoundSumForged(i, result.checks[i], r.checkSums[i]);
                }
            }
        }
        if (signatures.length < r.threshold) revert FLRoundTooFewSignatures(signatures.length, r.threshold);
        uint256 signers = _signers(round, r.members, resultDigest(round, result), signatures);

        r.phase = Phase.Finalised;
        model = result.model;
        emit RoundFinalised(round, result.aggregate, result.model, result.uploads, result.epsilonNano, signers);
    }

    /// @notice Ends a round without a result: the coordinator at will, anyone after the deadline.
    /// @param round A round that is neither finalised nor aborted.
    /// @param reason Short ASCII text for the trail.
    function abort(uint64 round, bytes32 reason) external whenNotPaused {
        Phase phase = _rounds[round].phase;
        if (phase == Phase.None || phase >= Phase.Finalised) revert FLRoundWrongPhase(round, phase, Phase.Commit);
        Round storage r = _mayEnd(round, phase);
        r.phase = Phase.Aborted;
        emit RoundAborted(round, phase, reason);
    }

    /// @notice The round's record; phase `None` if it was never opened.
    function getRound(uint64 round) external view returns (Round memory) {
        return _rounds[round];
    }

    /// @notice What hospital `index` committed and revealed in `round`; zero if nothing.
    function upload(uint64 round, uint8 index) external view returns (bytes32 commitment, bytes32 digest) {
        return (_commitments[round][index], _digests[round][index]);
    }

    /// @notice The seed of the verification: the hash of a block mined after uploads and sum were fixed.
    /// @dev A block's proposer can discard blocks to choose among hashes: with p tries a forged sum passes p times as
    ///      often, which two repetitions of a 42-bit modulus absorb.
    function seedOf(uint64 round) external view returns (bytes32) {
        Round storage r = _rounds[round];
        return r.seed != 0 ? r.seed : _seed(round, r);
    }

    /// @notice The commitment that `hospital` must post for `digest` and `salt`.
    function commitmentOf(uint64 round, address hospital, bytes32 digest, bytes32 salt) public view returns (bytes32) {
        return keccak256(abi.encode(block.chainid, address(this), round, hospital, digest, salt));
    }

    /// @notice The EIP-712 digest that members sign to vouch for `result`.
    function resultDigest(uint64 round, Result calldata result) public view returns (bytes32) {
        return _hashTypedDataV4(
            keccak256(
                abi.encode(
                    RESULT_TYPEHASH,
                    round,
                    result.aggregate,
                    result.model,
                    result.uploads,
                    result.epsilonNano,
                    keccak256(abi.encode(result.checks))
                )
            )
        );
    }

    function _inTime(uint64 round, Phase required) private view returns (Round storage r) {
        r = _rounds[round];
        if (r.phase != required) revert FLRoundWrongPhase(round, r.phase, required);
        if (block.timestamp > r.deadline) revert FLRoundDeadlinePassed(round, r.deadline, block.timestamp);
    }

    function _mayEnd(uint64 round, Phase required) private view returns (Round storage r) {
        r = _rounds[round];
        if (r.phase != required) revert FLRoundWrongPhase(round, r.phase, required);
        if (msg.sender != coordinator && block.timestamp <= r.deadline) {
            revert FLRoundDeadlineAhead(round, r.deadline, block.timestamp);
        }
    }

    function _startReveal(uint64 round, Round storage r) private {
        r.phase = Phase.Reveal;
        r.deadline = uint40(block.timestamp) + r.revealBy;
        emit PhaseChanged(round, Phase.Reveal, r.deadline);
    }

    function _startAggregate(uint64 round, Round storage r) private {
        r.phase = Phase.Aggregate;
        r.deadline = uint40(block.timestamp) + r.aggregateBy;
        emit PhaseChanged(round, Phase.Aggregate, r.deadline);
    }

    function _seed(uint64 round, Round storage r) private view returns (bytes32) {
        uint256 seedBlock = r.seedBlock;
        if (seedBlock == 0) revert FLRoundWrongPhase(round, r.phase, Phase.Aggregate);
        if (block.number <= seedBlock) revert FLRoundSeedNotReady(seedBlock, block.number);
        bytes32 hash = blockhash(seedBlock);
        if (hash == 0) revert FLRoundSeedLost(seedBlock, block.number);
        return keccak256(abi.encode(hash, block.chainid, address(this), round));
    }

    function _signers(uint64 round, uint256 members, bytes32 digest, bytes[] calldata signatures)
        private
        view
        returns (uint256 signers)
    {
        uint256 next = 0;
        for (uint256 i = 0; i < signatures.length; ++i) {
            (bytes32 name, uint8 index) = registry.requireActive(ECDSA.recover(digest, signatures[i]));
            if ((members >> index) & 1 == 0) revert FLRoundNotMember(round, name);
            if (index < next) revert FLRoundSignersUnordered(index);
            next = uint256(index) + 1;
            signers |= uint256(1) << index;
        }
    }
}
