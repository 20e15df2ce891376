// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";

import {AuditTrail} from "../src/AuditTrail.sol";
import {ConsentRegistry} from "../src/ConsentRegistry.sol";
import {HospitalRegistry} from "../src/HospitalRegistry.sol";
import {Base} from "./Base.sol";

contract ConsentRegistryTest is Base {
    ConsentRegistry.Purpose private constant TREAT = ConsentRegistry.Purpose.Treatment;
    ConsentRegistry.Purpose private constant URGENT = ConsentRegistry.Purpose.Emergency;

    function setUp() public {
        deploy();
        vm.prank(hospitalKey(0));
        consents.enrol(RECORD, vm.addr(PATIENT), "commitment");
    }

    function grant(uint256 i, uint16 actions, uint40 seconds_) private {
        uint40 present = uint40(block.timestamp);
        ConsentRegistry.Grant memory g = grantOf(hospitalName(i), TREAT, actions, present, present + seconds_);
        consents.grant(g, grantSignature(PATIENT, g));
    }

    function ask(uint256 i, ConsentRegistry.Purpose purpose, uint16 action) private returns (bool) {
        vm.prank(hospitalKey(i));
        return consents.request(RECORD, purpose, action, "evidence");
    }

    // -- liveness and effect

    function test_grantPermitsAndRevokeEndsIt() public {
        assert(!ask(1, TREAT, 1));
        grant(1, 1 | 2, 100);
        assert(ask(1, TREAT, 1) && ask(1, TREAT, 2) && !ask(1, TREAT, 4) && !ask(2, TREAT, 1));
        assert(consents.isPermitted(RECORD, hospitalName(1), TREAT, 1));
        consents.revoke(RECORD, hospitalName(1), TREAT, 1, revocation(PATIENT, hospitalName(1), TREAT, 1));
        assert(!ask(1, TREAT, 1));
        assert(trail.size() == 6); // every decision, also a refusal
        bytes memory again = revocation(PATIENT, hospitalName(1), TREAT, 2);
        vm.expectPartialRevert(ConsentRegistry.ConsentMissing.selector);
        consents.revoke(RECORD, hospitalName(1), TREAT, 2, again);
    }

    function testFuzz_decisionFollowsTheGrant(uint16 granted, uint8 asked, uint40 from, uint40 length, uint40 later) public {
        granted = 1 + granted % 15;
        uint16 action = uint16(1) << (asked % 4);
        from = uint40(block.timestamp) + from % 1e6;
        length %= 1e6;
        later %= 3e6;
        ConsentRegistry.Grant memory g = grantOf(hospitalName(1), TREAT, granted, from, from + length);
        consents.grant(g, grantSignature(PATIENT, g));
        vm.warp(block.timestamp + later);
        bool should = granted & action != 0 && block.timestamp >= from && block.timestamp <= from + length;
        assert(consents.isPermitted(RECORD, hospitalName(1), TREAT, action) == should);
        assert(ask(1, TREAT, action) == should);
    }

    function test_withdrawEndsAll() public {
        grant(1, 1, 100);
        grant(2, 3, 100);
        consents.withdraw(RECORD, 2, withdrawal(PATIENT, 2));
        assert(!ask(1, TREAT, 1) && !ask(2, TREAT, 1));
        grant(1, 1, 100);
        assert(ask(1, TREAT, 1));
        assert(consents.getConsent(RECORD, hospitalName(1), TREAT).epoch == 1);
    }

    function test_amend() public {
        vm.prank(hospitalKey(0));
        consents.amend(RECORD, "version 2");
        ConsentRegistry.Record memory r = consents.getRecord(RECORD);
        assert(r.version == 2 && r.commitment == "version 2" && r.custodian == hospitalName(0));
        vm.prank(hospitalKey(0));
        vm.expectPartialRevert(ConsentRegistry.ConsentEmpty.selector);
        consents.amend(RECORD, 0);
        vm.prank(hospitalKey(1));
        vm.expectPartialRevert(ConsentRegistry.ConsentNotCustodian.selector);
        consents.amend(RECORD, "x");
    }

    function test_erase() public {
        grant(1, 1, 100);
        bytes memory signature = erasure(PATIENT, 1);
        vm.prank(hospitalKey(0));
        consents.erase(RECORD, 1, signature);
        assert(!ask(1, TREAT, 1));
        vm.expectPartialRevert(ConsentRegistry.ConsentRecordErased.selector);
        consents.withdraw(RECORD, 0, signature);
        vm.prank(hospitalKey(0));
        vm.expectPartialRevert(ConsentRegistry.ConsentRecordTaken.selector);
        consents.enrol(RECORD, vm.addr(PATIENT), "again");
    }

    function test_breakGlass() public {
        assert(!ask(1, URGENT, 1));
        vm.prank(hospitalKey(1));
        vm.expectPartialRevert(ConsentRegistry.ConsentEmpty.selector);
        consents.breakGlass(RECORD, 0);
        vm.prank(hospitalKey(1));
        consents.breakGlass(RECORD, "unconscious");
        assert(ask(1, URGENT, 1) && !ask(1, URGENT, 2) && !ask(2, URGENT, 1) && !ask(1, TREAT, 1));
        vm.warp(block.timestamp + 4 hours);
        assert(!ask(1, URGENT, 1));
    }

    function test_many() public {
        grant(1, 1, 100);
        bytes32[] memory records = new bytes32[](3);
        (records[0], records[1]) = (RECORD, "unknown");
        bool[] memory found = consents.arePermitted(records, hospitalName(1), TREAT, 1);
        assert(found[0] && !found[1] && !found[2]);
        registry.suspend(hospitalName(1));
        found = consents.arePermitted(records, hospitalName(1), TREAT, 1);
        assert(!found[0] && !consents.isPermitted(RECORD, hospitalName(1), TREAT, 1));
    }

    // -- refusals

    function test_enrolment() public {
        vm.prank(hospitalKey(0));
        vm.expectPartialRevert(ConsentRegistry.ConsentRecordTaken.selector);
        consents.enrol(RECORD, vm.addr(PATIENT), "x");
        for (uint256 i = 0; i < 3; ++i) {
            vm.prank(hospitalKey(0));
            vm.expectPartialRevert(ConsentRegistry.ConsentEmpty.selector);
            consents.enrol(i == 0 ? bytes32(0) : bytes32("r"), i == 1 ? address(0) : vm.addr(PATIENT), i == 2 ? bytes32(0) : bytes32("c"));
        }
        vm.prank(vm.addr(STRANGER));
        vm.expectPartialRevert(HospitalRegistry.HospitalKeyUnknown.selector);
        consents.enrol("r", vm.addr(PATIENT), "x");
    }

    function test_grants() public {
        uint40 t = uint40(block.timestamp);
        ConsentRegistry.Grant memory g = grantOf(hospitalName(1), URGENT, 1, t, t + 9);
        vm.expectPartialRevert(ConsentRegistry.ConsentPurposeReserved.selector);
        consents.grant(g, "");
        g.purpose = TREAT;
        g.actions = 0;
        vm.expectPartialRevert(ConsentRegistry.ConsentActionsInvalid.selector);
        consents.grant(g, "");
        g.actions = 16;
        vm.expectPartialRevert(ConsentRegistry.ConsentActionsInvalid.selector);
        consents.grant(g, "");
        g.actions = 1;
        g.notAfter = t - 1;
        vm.expectPartialRevert(ConsentRegistry.ConsentValidityInvalid.selector);
        consents.grant(g, "");
        (g.notBefore, g.notAfter) = (t - 9, t - 1);
        vm.expectPartialRevert(ConsentRegistry.ConsentValidityInvalid.selector);
        consents.grant(g, "");
        g.notAfter = t + 9;
        g.nonce = 4;
        vm.expectPartialRevert(ConsentRegistry.ConsentNonceUnknown.selector);
        consents.grant(g, "");
        g.record = "unknown";
        vm.expectPartialRevert(ConsentRegistry.ConsentRecordUnknown.selector);
        consents.grant(g, "");
    }

    function testFuzz_onlyThePatientSigns(uint256 key, uint16 actions) public {
        key = 1 + key % 1e30;
        vm.assume(key != PATIENT);
        uint40 t = uint40(block.timestamp);
        ConsentRegistry.Grant memory g = grantOf(hospitalName(1), TREAT, 1 + actions % 15, t, t + 9);
        bytes memory signature = grantSignature(key, g);
        vm.expectPartialRevert(ConsentRegistry.ConsentSignatureMismatch.selector);
        consents.grant(g, signature);
    }

    function test_grantsCannotBeReplayed() public {
        uint40 t = uint40(block.timestamp);
        ConsentRegistry.Grant memory g = grantOf(hospitalName(1), TREAT, 1, t, t + 100);
        bytes memory signature = grantSignature(PATIENT, g);
        consents.grant(g, signature);
        consents.withdraw(RECORD, 1, withdrawal(PATIENT, 1));
        vm.expectPartialRevert(ConsentRegistry.ConsentNonceSpent.selector);
        consents.grant(g, signature);
    }

    function test_requests() public {
        vm.prank(hospitalKey(1));
        vm.expectPartialRevert(ConsentRegistry.ConsentActionsInvalid.selector);
        consents.request(RECORD, TREAT, 3, 0);
        vm.prank(hospitalKey(1));
        assert(!consents.request("unknown", TREAT, 1, 0));
        assert(!consents.isPermitted("unknown", hospitalName(1), TREAT, 8));
        assert(!ask(1, TREAT, 8));
    }

    function test_pause() public {
        grant(1, 1, 100);
        consents.pause();
        vm.prank(hospitalKey(1));
        vm.expectPartialRevert(Pausable.EnforcedPause.selector);
        consents.request(RECORD, TREAT, 1, 0);
        consents.withdraw(RECORD, 1, withdrawal(PATIENT, 1));
        consents.unpause();
        assert(!ask(1, TREAT, 1));
    }
}

contract AuditTrailTest is Base {
    function setUp() public {
        deploy();
    }

    function test_appendOnlyByWriters() public {
        vm.expectPartialRevert(AuditTrail.AuditWriterForbidden.selector);
        trail.append("a", "r", 0, 1, AuditTrail.Decision.Permitted, 0, 0);
        trail.setWriter(address(this), true);
        trail.append("a", "r", 0, 1, AuditTrail.Decision.Permitted, 0, 0);
        trail.setWriter(address(this), false);
        vm.expectPartialRevert(AuditTrail.AuditWriterForbidden.selector);
        trail.append("a", "r", 0, 1, AuditTrail.Decision.Permitted, 0, 0);
        assert(trail.size() == 1);
    }

    function test_anchors() public {
        vm.prank(hospitalKey(0));
        vm.expectPartialRevert(AuditTrail.AuditBatchEmpty.selector);
        trail.anchor(0, 1);
        vm.prank(hospitalKey(0));
        vm.expectPartialRevert(AuditTrail.AuditBatchEmpty.selector);
        trail.anchor("root", 0);
        vm.prank(hospitalKey(0));
        trail.anchor("root", 3);
        assert(trail.size() == 1);
    }

    function test_pause() public {
        trail.pause();
        vm.prank(hospitalKey(0));
        vm.expectPartialRevert(Pausable.EnforcedPause.selector);
        trail.report("r", 0, 1, 0);
        trail.unpause();
        vm.prank(hospitalKey(0));
        trail.report("r", 0, 1, 0);
    }

    /// @dev The incremental root equals the tree built from its definition, whatever the number of entries.
    function testFuzz_rootAndHeadFollowTheirDefinition(uint8 count, bytes32 evidence) public {
        count %= 20;
        bytes32[] memory layer = new bytes32[](count);
        bytes32 head = 0;
        for (uint64 i = 0; i < count; ++i) {
            bytes32 e = keccak256(abi.encode(evidence, i));
            vm.prank(hospitalKey(i % COUNT));
            trail.report("r", 0, 1, e);
            layer[i] = keccak256(
                bytes.concat(
                    bytes1(0x00),
                    abi.encode(i, uint64(block.timestamp), hospitalName(i % COUNT), bytes32("r"), 0, 1, 3, bytes32(0), e)
                )
            );
            head = keccak256(abi.encode(head, layer[i]));
        }
        assert(trail.head() == head && trail.size() == count);
        bytes32 zero = 0;
        for (uint256 level = 0; level < 32; ++level) {
            bytes32[] memory above = new bytes32[]((layer.length + 1) / 2);
            for (uint256 i = 0; i < above.length; ++i) {
                bytes32 right = 2 * i + 1 < layer.length ? layer[2 * i + 1] : zero;
                above[i] = keccak256(abi.encodePacked(bytes1(0x01), layer[2 * i], right));
            }
            zero = keccak256(abi.encodePacked(bytes1(0x01), zero, zero));
            layer = above;
        }
        bytes32 top = layer.length == 0 ? zero : layer[0];
        assert(trail.root() == keccak256(abi.encodePacked(bytes1(0x02), top, uint64(count))));
    }
}
