// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";

import {FLRoundManager} from "../src/FLRoundManager.sol";
import {HospitalRegistry} from "../src/HospitalRegistry.sol";
import {Base} from "./Base.sol";

contract FLRoundManagerTest is Base {
    uint64 private constant PRIME = 4_398_042_316_799;
    FLRoundManager.Durations private durations = FLRoundManager.Durations(600, 600, 600);

    function setUp() public {
        deploy();
    }

    function phase(uint64 round) private view returns (FLRoundManager.Phase) {
        return rounds.getRound(round).phase;
    }

    function aggregated(uint64 modulus) private {
        open(1, modulus);
        for (uint256 i = 0; i < COUNT; ++i) commit(1, i);
        for (uint256 i = 0; i < COUNT; ++i) reveal(1, i);
        publish(1);
    }

    function check(uint256 i, uint64[2] memory values) private {
        vm.prank(hospitalKey(i));
        rounds.postCheck(1, values);
    }

    // -- liveness

    function test_wholeRound() public {
        aggregated(0);
        FLRoundManager.Result memory r = result(4, [uint64(0), 0]);
        rounds.finalise(1, r, approvals(1, r, 3));
        assert(phase(1) == FLRoundManager.Phase.Finalised && rounds.model() == MODEL);
        (bytes32 commitment, bytes32 digest) = rounds.upload(1, 2);
        assert(commitment != 0 && digest == digestOf(2));
    }

    function testFuzz_checksAddUp(uint64[8] memory raw, uint64 offset) public {
        aggregated(PRIME);
        vm.roll(block.number + 2);
        uint256[2] memory sums;
        for (uint256 i = 0; i < COUNT; ++i) {
            uint64[2] memory values = [raw[2 * i] % PRIME, raw[2 * i + 1] % PRIME];
            check(i, values);
            for (uint256 j = 0; j < 2; ++j) sums[j] = (sums[j] + values[j]) % PRIME;
        }
        offset = 1 + offset % (PRIME - 1);
        FLRoundManager.Result memory forged = result(4, [uint64(sums[0]), uint64((sums[1] + offset) % PRIME)]);
        bytes[] memory signatures = approvals(1, forged, 3);
        vm.expectPartialRevert(FLRoundManager.FLRoundSumForged.selector);
        rounds.finalise(1, forged, signatures);
        FLRoundManager.Result memory r = result(4, [uint64(sums[0]), uint64(sums[1])]);
        rounds.finalise(1, r, approvals(1, r, 4));
    }

    function test_dropouts() public {
        open(1, 0);
        for (uint256 i = 0; i < 3; ++i) commit(1, i);
        rounds.closeCommits(1);
        for (uint256 i = 0; i < 2; ++i) reveal(1, i);
        vm.expectPartialRevert(FLRoundManager.FLRoundTooFewUploads.selector);
        rounds.closeReveals(1);
        reveal(1, 2);
        assert(phase(1) == FLRoundManager.Phase.Aggregate);
    }

    function test_closeRevealsWithAThreshold() public {
        open(1, 0);
        for (uint256 i = 0; i < 4; ++i) commit(1, i);
        for (uint256 i = 0; i < 3; ++i) reveal(1, i);
        rounds.closeReveals(1);
        assert(rounds.getRound(1).reveals == 3);
    }

    function test_anyoneEndsAPhaseAfterItsDeadline() public {
        open(1, 0);
        for (uint256 i = 0; i < 3; ++i) commit(1, i);
        vm.prank(vm.addr(STRANGER));
        vm.expectPartialRevert(FLRoundManager.FLRoundDeadlineAhead.selector);
        rounds.closeCommits(1);
        vm.warp(block.timestamp + 601);
        vm.prank(vm.addr(STRANGER));
        rounds.closeCommits(1);
        vm.warp(block.timestamp + 601);
        vm.prank(hospitalKey(0));
        vm.expectPartialRevert(FLRoundManager.FLRoundDeadlinePassed.selector);
        rounds.reveal(1, digestOf(0), 0);
        vm.prank(vm.addr(STRANGER));
        rounds.abort(1, "nobody revealed");
        assert(phase(1) == FLRoundManager.Phase.Aborted);
        open(2, 0);
    }

    // -- refusals

    function test_opening() public {
        vm.expectPartialRevert(FLRoundManager.FLRoundNotNext.selector);
        rounds.openRound(2, MODEL, 3, 0, durations);
        vm.expectPartialRevert(FLRoundManager.FLRoundEmpty.selector);
        rounds.openRound(1, 0, 3, 0, durations);
        for (uint16 threshold = 0; threshold < 7; ++threshold) {
            if (threshold == 3 || threshold == 4) continue;
            vm.expectPartialRevert(FLRoundManager.FLRoundThresholdOutOfRange.selector);
            rounds.openRound(1, MODEL, threshold, 0, durations);
        }
        for (uint256 i = 0; i < 3; ++i) {
            FLRoundManager.Durations memory zero = FLRoundManager.Durations(i == 0 ? 0 : 1, i == 1 ? 0 : 1, i == 2 ? 0 : 1);
            vm.expectPartialRevert(FLRoundManager.FLRoundDurationZero.selector);
            rounds.openRound(1, MODEL, 3, 0, zero);
        }
        vm.prank(vm.addr(STRANGER));
        vm.expectPartialRevert(FLRoundManager.FLRoundCallerForbidden.selector);
        rounds.openRound(1, MODEL, 3, 0, durations);
        open(1, 0);
        vm.expectPartialRevert(FLRoundManager.FLRoundStillRunning.selector);
        rounds.openRound(2, MODEL, 3, 0, durations);
    }

    function test_modelsFormAChain() public {
        test_wholeRound();
        vm.expectPartialRevert(FLRoundManager.FLRoundModelMismatch.selector);
        rounds.openRound(2, keccak256("another"), 3, 0, durations);
        rounds.openRound(2, MODEL, 3, 0, durations);
    }

    function test_commits() public {
        open(1, 0);
        vm.prank(hospitalKey(0));
        vm.expectPartialRevert(FLRoundManager.FLRoundEmpty.selector);
        rounds.commit(1, 0);
        commit(1, 0);
        vm.prank(hospitalKey(0));
        vm.expectPartialRevert(FLRoundManager.FLRoundAlreadyCommitted.selector);
        rounds.commit(1, "again");
        vm.expectPartialRevert(FLRoundManager.FLRoundTooFewUploads.selector);
        rounds.closeCommits(1);
        vm.expectPartialRevert(FLRoundManager.FLRoundWrongPhase.selector);
        rounds.closeReveals(1);
        vm.warp(block.timestamp + 601);
        vm.prank(hospitalKey(1));
        vm.expectPartialRevert(FLRoundManager.FLRoundDeadlinePassed.selector);
        rounds.commit(1, "late");
    }

    function test_whoJoinsLaterIsNoMember() public {
        open(1, 0);
        registry.register(hospitalName(4), hospitalKey(4));
        login(4, 1, MODEL);
        vm.prank(hospitalKey(4));
        vm.expectPartialRevert(FLRoundManager.FLRoundNotMember.selector);
        rounds.commit(1, "new");
    }

    function test_reveals() public {
        open(1, 0);
        for (uint256 i = 0; i < 3; ++i) commit(1, i);
        vm.prank(hospitalKey(0));
        vm.expectPartialRevert(FLRoundManager.FLRoundWrongPhase.selector);
        rounds.reveal(1, digestOf(0), 0);
        rounds.closeCommits(1);
        vm.prank(hospitalKey(3));
        vm.expectPartialRevert(FLRoundManager.FLRoundNotCommitted.selector);
        rounds.reveal(1, digestOf(3), bytes32(uint256(3)));
        vm.prank(hospitalKey(0));
        vm.expectPartialRevert(FLRoundManager.FLRoundEmpty.selector);
        rounds.reveal(1, 0, 0);
        reveal(1, 0);
        vm.prank(hospitalKey(0));
        vm.expectPartialRevert(FLRoundManager.FLRoundAlreadyRevealed.selector);
        rounds.reveal(1, digestOf(0), 0);
    }

    function testFuzz_reveal_onlyWhatWasCommitted(bytes32 digest, bytes32 salt) public {
        vm.assume(digest != 0 && (digest != digestOf(0) || salt != 0));
        open(1, 0);
        for (uint256 i = 0; i < 4; ++i) commit(1, i);
        vm.prank(hospitalKey(0));
        vm.expectPartialRevert(FLRoundManager.FLRoundCommitmentMismatch.selector);
        rounds.reveal(1, digest, salt);
    }

    function test_copiedCommitmentCannotBeRevealed() public {
        open(1, 0);
        bytes32 copied = rounds.commitmentOf(1, hospitalKey(0), digestOf(0), 0);
        commit(1, 0);
        vm.prank(hospitalKey(1));
        rounds.commit(1, copied);
        commit(1, 2);
        rounds.closeCommits(1);
        vm.prank(hospitalKey(1));
        vm.expectPartialRevert(FLRoundManager.FLRoundCommitmentMismatch.selector);
        rounds.reveal(1, digestOf(0), 0);
    }

    function test_publishing() public {
        open(1, 0);
        for (uint256 i = 0; i < COUNT; ++i) commit(1, i);
        for (uint256 i = 0; i < COUNT; ++i) reveal(1, i);
        vm.expectPartialRevert(FLRoundManager.FLRoundEmpty.selector);
        rounds.publishAggregate(1, 0);
        vm.expectPartialRevert(FLRoundManager.FLRoundNotPublished.selector);
        rounds.publishOpening(1, "slots");
        FLRoundManager.Result memory r = result(4, [uint64(0), 0]);
        bytes[] memory signatures = approvals(1, r, 3);
        rounds.publishAggregate(1, keccak256("sum"));
        vm.expectPartialRevert(FLRoundManager.FLRoundNotPublished.selector);
        rounds.finalise(1, r, signatures);
        vm.expectPartialRevert(FLRoundManager.FLRoundAlreadyPublished.selector);
        rounds.publishAggregate(1, "another");
        vm.expectPartialRevert(FLRoundManager.FLRoundEmpty.selector);
        rounds.publishOpening(1, 0);
        rounds.publishOpening(1, "slots");
        vm.expectPartialRevert(FLRoundManager.FLRoundAlreadyPublished.selector);
        rounds.publishOpening(1, "another");
        r.aggregate = "another";
        vm.expectPartialRevert(FLRoundManager.FLRoundNotPublished.selector);
        rounds.finalise(1, r, signatures);
        vm.prank(vm.addr(STRANGER));
        vm.expectPartialRevert(FLRoundManager.FLRoundCallerForbidden.selector);
        rounds.publishAggregate(1, "x");
    }

    function test_checks() public {
        aggregated(PRIME);
        vm.prank(hospitalKey(0));
        vm.expectPartialRevert(FLRoundManager.FLRoundSeedNotReady.selector);
        rounds.postCheck(1, [uint64(1), 1]);
        vm.roll(block.number + 2);
        vm.prank(hospitalKey(0));
        vm.expectPartialRevert(FLRoundManager.FLRoundCheckOutOfRange.selector);
        rounds.postCheck(1, [uint64(1), PRIME]);
        bytes32 seed = rounds.seedOf(1);
        check(0, [uint64(1), 1]);
        vm.roll(block.number + 300);
        assert(rounds.seedOf(1) == seed); // fixed by the first value
        vm.prank(hospitalKey(0));
        vm.expectPartialRevert(FLRoundManager.FLRoundAlreadyChecked.selector);
        rounds.postCheck(1, [uint64(1), 1]);
        FLRoundManager.Result memory r = result(4, [uint64(1), 1]);
        bytes[] memory signatures = approvals(1, r, 3);
        vm.expectPartialRevert(FLRoundManager.FLRoundTooFewUploads.selector);
        rounds.finalise(1, r, signatures);
    }

    function test_checkersMustHaveRevealed() public {
        open(1, PRIME);
        for (uint256 i = 0; i < 3; ++i) commit(1, i);
        rounds.closeCommits(1);
        for (uint256 i = 0; i < 3; ++i) reveal(1, i);
        publish(1);
        vm.roll(block.number + 2);
        vm.prank(hospitalKey(3));
        vm.expectPartialRevert(FLRoundManager.FLRoundNotRevealed.selector);
        rounds.postCheck(1, [uint64(1), 1]);
    }

    function test_noChecksDemanded() public {
        aggregated(0);
        vm.prank(hospitalKey(0));
        vm.expectPartialRevert(FLRoundManager.FLRoundNoChecks.selector);
        rounds.postCheck(1, [uint64(1), 1]);
    }

    function test_seeds() public {
        vm.expectPartialRevert(FLRoundManager.FLRoundWrongPhase.selector);
        rounds.seedOf(1);
        aggregated(PRIME);
        vm.roll(block.number + 300);
        vm.expectPartialRevert(FLRoundManager.FLRoundSeedLost.selector);
        rounds.seedOf(1);
    }

    function test_finalising() public {
        aggregated(0);
        FLRoundManager.Result memory r = result(4, [uint64(0), 0]);
        bytes[] memory signatures = approvals(1, r, 3);
        vm.prank(vm.addr(STRANGER));
        vm.expectPartialRevert(FLRoundManager.FLRoundCallerForbidden.selector);
        rounds.finalise(1, r, signatures);
        bytes[] memory few = approvals(1, r, 2);
        vm.expectPartialRevert(FLRoundManager.FLRoundTooFewSignatures.selector);
        rounds.finalise(1, r, few);
        signatures[1] = signatures[0];
        vm.expectPartialRevert(FLRoundManager.FLRoundSignersUnordered.selector);
        rounds.finalise(1, r, signatures);
        FLRoundManager.Result memory bad = result(3, [uint64(0), 0]);
        signatures = approvals(1, bad, 3);
        vm.expectPartialRevert(FLRoundManager.FLRoundUploadsMismatch.selector);
        rounds.finalise(1, bad, signatures);
        bad = result(4, [uint64(0), 0]);
        bad.model = 0;
        vm.expectPartialRevert(FLRoundManager.FLRoundEmpty.selector);
        rounds.finalise(1, bad, signatures);
        vm.warp(block.timestamp + 601);
        vm.expectPartialRevert(FLRoundManager.FLRoundDeadlinePassed.selector);
        rounds.finalise(1, r, signatures);
    }

    function test_laterHospitalsDoNotVouch() public {
        aggregated(0);
        registry.register(hospitalName(4), hospitalKey(4));
        FLRoundManager.Result memory r = result(4, [uint64(0), 0]);
        bytes[] memory signatures = approvals(1, r, 3);
        signatures[2] = approval(1, r, 4);
        vm.expectPartialRevert(FLRoundManager.FLRoundNotMember.selector);
        rounds.finalise(1, r, signatures);
    }

    function testFuzz_signaturesBindTheResult(uint8 field, uint32 delta) public {
        vm.assume(delta != 0);
        aggregated(0);
        FLRoundManager.Result memory r = result(4, [uint64(0), 0]);
        bytes[] memory signatures = approvals(1, r, 3);
        if (field % 3 == 0) r.model = bytes32(uint256(r.model) ^ delta);
        if (field % 3 == 1) r.epsilonNano += delta;
        if (field % 3 == 2) r.checks[delta % 2] = delta;
        (bool ok,) = address(rounds).call(abi.encodeCall(FLRoundManager.finalise, (1, r, signatures)));
        assert(!ok && phase(1) == FLRoundManager.Phase.Aggregate);
    }

    function test_finalIsFinal() public {
        test_wholeRound();
        vm.expectPartialRevert(FLRoundManager.FLRoundWrongPhase.selector);
        rounds.abort(1, "regret");
        vm.expectPartialRevert(FLRoundManager.FLRoundWrongPhase.selector);
        rounds.abort(9, "never opened");
        vm.expectPartialRevert(FLRoundManager.FLRoundWrongPhase.selector);
        rounds.closeCommits(1);
    }

    function test_pauseAndCoordinator() public {
        rounds.pause();
        vm.expectPartialRevert(Pausable.EnforcedPause.selector);
        rounds.openRound(1, MODEL, 3, 0, durations);
        vm.expectPartialRevert(Pausable.EnforcedPause.selector);
        rounds.setCoordinator(vm.addr(STRANGER));
        rounds.unpause();
        vm.expectPartialRevert(FLRoundManager.FLRoundEmpty.selector);
        rounds.setCoordinator(address(0));
        vm.expectPartialRevert(FLRoundManager.FLRoundEmpty.selector);
        new FLRoundManager(address(this), registry, address(0));
        rounds.setCoordinator(vm.addr(STRANGER));
        vm.expectPartialRevert(FLRoundManager.FLRoundCallerForbidden.selector);
        rounds.openRound(1, MODEL, 3, 0, durations);
        vm.prank(vm.addr(STRANGER));
        rounds.openRound(1, MODEL, 3, 0, durations);
    }

    function test_twoSteps() public {
        rounds.transferOwnership(vm.addr(STRANGER));
        assert(rounds.owner() == address(this));
        vm.prank(vm.addr(STRANGER));
        rounds.acceptOwnership();
        assert(rounds.owner() == vm.addr(STRANGER));
    }
}
