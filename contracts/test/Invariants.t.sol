// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ConsentRegistry} from "../src/ConsentRegistry.sol";
import {FLRoundManager} from "../src/FLRoundManager.sol";
import {HospitalRegistry} from "../src/HospitalRegistry.sol";
import {Base} from "./Base.sol";

/// @dev Does random things to the contracts and keeps its own account of what should then hold.
contract Handler is Base {
    ConsentRegistry.Purpose private constant TREAT = ConsentRegistry.Purpose.Treatment;

    uint256 public commits;
    uint256 public reveals;
    uint256 public decisions;
    bool public broken; // something passed that may not
    mapping(uint64 round => FLRoundManager.Phase) public highest;
    mapping(uint64 round => mapping(uint256 i => uint256)) public committed;
    mapping(uint64 round => mapping(uint256 i => uint256)) public revealed;
    mapping(uint256 i => bool) public granted;

    constructor() {
        deploy();
        vm.prank(hospitalKey(0));
        consents.enrol(RECORD, vm.addr(PATIENT), "commitment");
    }

    function contracts() external view returns (HospitalRegistry, FLRoundManager, ConsentRegistry, uint256) {
        return (registry, rounds, consents, trail.size());
    }

    function phaseOf(uint64 round) public view returns (FLRoundManager.Phase) {
        return rounds.getRound(round).phase;
    }

    modifier watched() {
        _;
        uint64 round = rounds.lastRound();
        FLRoundManager.Phase now_ = phaseOf(round);
        FLRoundManager.Phase before = highest[round];
        // a phase only follows the one before it, or is an abort; a final one stays
        bool step = uint8(now_) <= uint8(before) + 1 || now_ == FLRoundManager.Phase.Aborted;
        bool back = uint8(now_) < uint8(before);
        bool final_ = before >= FLRoundManager.Phase.Finalised && now_ != before;
        if (!step || back || final_) broken = true;
        highest[round] = now_;
    }

    function openRound() external watched {
        uint64 next = rounds.lastRound() + 1;
        for (uint256 i = 0; i < COUNT; ++i) {
            if (registry.hospital(hospitalName(i)).status == HospitalRegistry.Status.Active) login(i, next, MODEL);
        }
        rounds.openRound(next, MODEL, THRESHOLD, 0, FLRoundManager.Durations(600, 600, 600));
    }

    /// @dev Takes up to three honest steps, so that random histories reach every phase.
    function goOn(uint256 steps) external {
        for (uint256 n = 0; n < 1 + steps % 3; ++n) {
            uint64 round = rounds.lastRound();
            FLRoundManager.Phase phase = phaseOf(round);
            for (uint256 i = 0; i < COUNT; ++i) {
                if (phase == FLRoundManager.Phase.Commit && committed[round][i] == 0) {
                    doCommit(i);
                    break;
                }
                if (phase == FLRoundManager.Phase.Reveal && committed[round][i] > revealed[round][i]) {
                    doReveal(i);
                    break;
                }
            }
        }
    }

    function doCommit(uint256 i) public watched {
        i %= COUNT;
        uint64 round = rounds.lastRound();
        commit(round, i);
        ++committed[round][i];
        ++commits;
        if (committed[round][i] > 1) broken = true;
    }

    function doReveal(uint256 i) public watched {
        i %= COUNT;
        uint64 round = rounds.lastRound();
        reveal(round, i);
        ++revealed[round][i];
        ++reveals;
        if (revealed[round][i] > 1 || committed[round][i] == 0) broken = true;
    }

    function closeCommits() external watched {
        rounds.closeCommits(rounds.lastRound());
    }

    function closeReveals() external watched {
        rounds.closeReveals(rounds.lastRound());
    }

    function finalise(uint256 count) external watched {
        uint64 round = rounds.lastRound();
        if (rounds.getRound(round).opened == 0) publish(round);
        count %= COUNT + 1;
        FLRoundManager.Result memory r = result(rounds.getRound(round).reveals, [uint64(0), 0]);
        rounds.finalise(round, r, approvals(round, r, count));
        if (count < THRESHOLD) broken = true;
    }

    function abort(uint256 dice) external watched {
        if (dice % 8 != 0) return;
        rounds.abort(rounds.lastRound(), "random");
    }

    function pausedWrite(uint256 i) external watched {
        rounds.pause();
        uint64 round = rounds.lastRound();
        bytes32 c = rounds.commitmentOf(round, hospitalKey(i % COUNT), "x", "y");
        vm.prank(hospitalKey(i % COUNT));
        (bool ok,) = address(rounds).call(abi.encodeCall(FLRoundManager.commit, (round, c)));
        if (ok) broken = true;
        rounds.unpause();
    }

    function doGrant(uint256 i) external watched {
        i %= COUNT;
        uint40 t = uint40(block.timestamp);
        ConsentRegistry.Grant memory g = grantOf(hospitalName(i), TREAT, 1, t, t + 1e6);
        consents.grant(g, grantSignature(PATIENT, g));
        granted[i] = true;
    }

    function doRevoke(uint256 i) external watched {
        i %= COUNT;
        uint24 nonce = consents.getRecord(RECORD).nonce;
        consents.revoke(RECORD, hospitalName(i), TREAT, nonce, revocation(PATIENT, hospitalName(i), TREAT, nonce));
        granted[i] = false;
    }

    function withdraw() external watched {
        uint24 nonce = consents.getRecord(RECORD).nonce;
        consents.withdraw(RECORD, nonce, withdrawal(PATIENT, nonce));
        for (uint256 i = 0; i < COUNT; ++i) granted[i] = false;
    }

    function doRequest(uint256 i) external watched {
        i %= COUNT;
        vm.prank(hospitalKey(i));
        bool permitted = consents.request(RECORD, TREAT, 1, 0);
        ++decisions;
        if (permitted != granted[i]) broken = true;
    }

    function isGranted(uint256 i) external view returns (bool, bool) {
        return (granted[i], consents.isPermitted(RECORD, hospitalName(i), TREAT, 1));
    }
}

contract InvariantsTest {
    Handler private handler;

    function setUp() public {
        handler = new Handler();
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    /// @dev One commit for each member and round, no reveal without it, no phase skipped, nothing while paused.
    function invariant_nothingForbiddenPassed() public view {
        assert(!handler.broken());
        assert(handler.reveals() <= handler.commits());
    }

    /// @dev What was revoked or withdrawn is not permitted, what was granted is.
    function invariant_permissionsFollowConsents() public view {
        for (uint256 i = 0; i < 4; ++i) {
            (bool granted, bool permitted) = handler.isGranted(i);
            assert(granted == permitted);
        }
    }

    /// @dev Every decision is in the trail, and nothing else.
    function invariant_trailHoldsEveryDecision() public view {
        (,,, uint256 size) = handler.contracts();
        assert(size == handler.decisions());
    }
}
