// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

import {HospitalRegistry} from "../src/HospitalRegistry.sol";
import {Base} from "./Base.sol";

contract HospitalRegistryTest is Base {
    function setUp() public {
        deploy();
    }

    // -- liveness

    function test_login_opensSession() public {
        login(0, 1, MODEL);
        (bytes32 name, uint8 index) = registry.requireSession(hospitalKey(0), 1, MODEL);
        assert(name == hospitalName(0) && index == 0);
        assert(registry.session(hospitalKey(0)).validUntil == block.timestamp + 3600);
    }

    function test_views() public view {
        assert(registry.size() == COUNT && registry.nameAt(2) == hospitalName(2));
        assert(registry.nameOf(hospitalKey(3)) == hospitalName(3));
        (uint256 members, uint16 count) = registry.activeMembers();
        assert(members == 15 && count == COUNT);
        (bytes32 name,) = registry.requireActive(hospitalKey(1));
        assert(name == hospitalName(1));
    }

    function test_statusWalk() public {
        bytes32 name = hospitalName(1);
        registry.suspend(name);
        vm.expectPartialRevert(HospitalRegistry.HospitalSuspended.selector);
        registry.requireActive(hospitalKey(1));
        vm.expectPartialRevert(HospitalRegistry.HospitalSuspended.selector);
        registry.suspend(name);
        registry.reinstate(name);
        registry.reinstate(name); // an active one stays so
        registry.suspend(name);
        registry.revoke(name);
        (uint256 members, uint16 count) = registry.activeMembers();
        assert(members == 13 && count == COUNT - 1);
        vm.expectPartialRevert(HospitalRegistry.HospitalRevoked.selector);
        registry.requireActive(hospitalKey(1));
        vm.expectPartialRevert(HospitalRegistry.HospitalRevoked.selector);
        registry.reinstate(name);
        vm.expectPartialRevert(HospitalRegistry.HospitalUnknown.selector);
        registry.revoke("nobody");
    }

    function test_rotation() public {
        bytes32 name = hospitalName(0);
        uint256 fresh = 77;
        bytes memory proof = rotationProof(fresh, name, 2);
        vm.prank(vm.addr(STRANGER));
        vm.expectPartialRevert(HospitalRegistry.HospitalCallerForbidden.selector);
        registry.rotateKey(name, vm.addr(fresh), proof);
        vm.expectPartialRevert(HospitalRegistry.HospitalEmpty.selector);
        registry.rotateKey(name, address(0), proof);
        vm.expectPartialRevert(HospitalRegistry.HospitalKeyTaken.selector);
        registry.rotateKey(name, hospitalKey(1), proof);
        vm.expectPartialRevert(HospitalRegistry.HospitalSignatureMismatch.selector);
        registry.rotateKey(name, vm.addr(fresh), rotationProof(fresh, name, 3));
        vm.prank(hospitalKey(0));
        registry.rotateKey(name, vm.addr(fresh), proof);
        vm.expectPartialRevert(HospitalRegistry.HospitalKeyRetired.selector);
        registry.requireActive(hospitalKey(0));
        assert(registry.hospital(name).keyVersion == 2);
        registry.rotateKey(name, vm.addr(78), rotationProof(78, name, 3)); // the owner may, for a lost key
    }

    // -- refusals

    function test_registration() public {
        vm.expectPartialRevert(HospitalRegistry.HospitalEmpty.selector);
        registry.register(0, vm.addr(5));
        vm.expectPartialRevert(HospitalRegistry.HospitalEmpty.selector);
        registry.register("new", address(0));
        vm.expectPartialRevert(HospitalRegistry.HospitalNameTaken.selector);
        registry.register(hospitalName(0), vm.addr(5));
        vm.expectPartialRevert(HospitalRegistry.HospitalKeyTaken.selector);
        registry.register("new", hospitalKey(0));
        vm.prank(vm.addr(STRANGER));
        vm.expectPartialRevert(Ownable.OwnableUnauthorizedAccount.selector);
        registry.register("new", vm.addr(5));
    }

    function test_ownerStays() public {
        vm.expectPartialRevert(Ownable.OwnableInvalidOwner.selector);
        registry.renounceOwnership();
        assert(registry.owner() == address(this));
    }

    function test_rotationWhileSuspended() public {
        registry.suspend(hospitalName(0));
        bytes memory proof = rotationProof(77, hospitalName(0), 2);
        vm.prank(hospitalKey(0));
        vm.expectPartialRevert(HospitalRegistry.HospitalSuspended.selector);
        registry.rotateKey(hospitalName(0), vm.addr(77), proof);
        registry.rotateKey(hospitalName(0), vm.addr(77), proof);
    }

    function test_full() public {
        for (uint256 i = COUNT; i < 256; ++i) {
            registry.register(bytes32(i + 1), vm.addr(50_000 + i));
        }
        (uint256 members, uint16 count) = registry.activeMembers();
        assert(members == type(uint256).max && count == 256);
        vm.expectPartialRevert(HospitalRegistry.HospitalRegistryFull.selector);
        registry.register("one more", vm.addr(5));
    }

    function test_lifetimes() public {
        vm.expectPartialRevert(HospitalRegistry.HospitalLifetimeOutOfRange.selector);
        new HospitalRegistry(address(this), 0);
        vm.expectPartialRevert(HospitalRegistry.HospitalLifetimeOutOfRange.selector);
        new HospitalRegistry(address(this), 86_401);
    }

    function test_sessions() public {
        vm.expectPartialRevert(HospitalRegistry.HospitalSessionMissing.selector);
        registry.requireSession(hospitalKey(0), 1, MODEL);
        login(0, 1, MODEL);
        vm.expectPartialRevert(HospitalRegistry.HospitalSessionMissing.selector);
        registry.requireSession(hospitalKey(0), 2, MODEL);
        vm.expectPartialRevert(HospitalRegistry.HospitalSessionMissing.selector);
        registry.requireSession(hospitalKey(0), 1, keccak256("another"));
        vm.warp(block.timestamp + 3600);
        vm.expectPartialRevert(HospitalRegistry.HospitalSessionExpired.selector);
        registry.requireSession(hospitalKey(0), 1, MODEL);
    }

    function test_pause() public {
        registry.pause();
        HospitalRegistry.LoginRequest memory q = loginRequest(0, 1, MODEL);
        bytes memory signature = loginSignature(secret(0), q);
        vm.expectPartialRevert(Pausable.EnforcedPause.selector);
        registry.login(q, signature);
        vm.expectPartialRevert(Pausable.EnforcedPause.selector);
        registry.requireSession(hospitalKey(0), 1, MODEL);
        registry.revoke(hospitalName(2));
        registry.unpause();
        registry.login(q, signature);
    }

    // -- fuzz

    /// @dev Whatever field is changed after signing, the login is refused.
    function testFuzz_login_bindsEveryField(uint8 field, uint64 delta) public {
        vm.assume(delta != 0);
        HospitalRegistry.LoginRequest memory q = loginRequest(0, 7, MODEL);
        bytes memory signature = loginSignature(secret(0), q);
        field %= 7;
        unchecked {
            if (field == 0) q.chainId += delta;
            if (field == 1) q.registry = address(uint160(q.registry) + delta);
            if (field == 2) q.key = hospitalKey(1 + delta % 3);
            if (field == 3) q.nonce += delta;
            if (field == 4) q.round += delta;
            if (field == 5) q.model = bytes32(uint256(q.model) + delta);
            if (field == 6) q.expiry += delta;
        }
        (bool ok,) = address(registry).call(abi.encodeCall(HospitalRegistry.login, (q, signature)));
        assert(!ok);
        assert(registry.nonces(hospitalKey(0)) == 0);
    }

    function testFuzz_login_onlyTheKeyItself(uint256 key) public {
        key = 1 + key % 1e30;
        vm.assume(key != secret(0));
        HospitalRegistry.LoginRequest memory q = loginRequest(0, 1, MODEL);
        bytes memory signature = loginSignature(key, q);
        vm.expectPartialRevert(HospitalRegistry.HospitalSignatureMismatch.selector);
        registry.login(q, signature);
    }

    function testFuzz_login_garbage(bytes calldata signature) public {
        HospitalRegistry.LoginRequest memory q = loginRequest(0, 1, MODEL);
        (bool ok,) = address(registry).call(abi.encodeCall(HospitalRegistry.login, (q, signature)));
        assert(!ok);
    }

    function testFuzz_login_time(uint64 expiry) public {
        HospitalRegistry.LoginRequest memory q = loginRequest(0, 1, MODEL);
        q.expiry = expiry;
        bytes memory signature = loginSignature(secret(0), q);
        if (expiry <= block.timestamp) vm.expectPartialRevert(HospitalRegistry.HospitalChallengeExpired.selector);
        else if (expiry > block.timestamp + 600) vm.expectPartialRevert(HospitalRegistry.HospitalExpiryTooFar.selector);
        registry.login(q, signature);
    }

    function test_login_nonces() public {
        HospitalRegistry.LoginRequest memory q = loginRequest(0, 1, MODEL);
        bytes memory signature = loginSignature(secret(0), q);
        registry.login(q, signature);
        vm.expectRevert(abi.encodeWithSelector(HospitalRegistry.HospitalNonceSpent.selector, 0, 1));
        registry.login(q, signature);
        q.nonce = 9;
        vm.expectRevert(abi.encodeWithSelector(HospitalRegistry.HospitalNonceUnknown.selector, 9, 1));
        registry.login(q, signature);
    }

    function test_login_afterFork() public {
        HospitalRegistry.LoginRequest memory q = loginRequest(0, 1, MODEL);
        bytes memory signature = loginSignature(secret(0), q);
        vm.chainId(5);
        vm.expectPartialRevert(HospitalRegistry.HospitalForeignChain.selector);
        registry.login(q, signature);
        q.chainId = 5;
        vm.expectPartialRevert(HospitalRegistry.HospitalSignatureMismatch.selector);
        registry.login(q, signature);
    }

    function test_login_malleable() public {
        HospitalRegistry.LoginRequest memory q = loginRequest(0, 1, MODEL);
        bytes memory signature = loginSignature(secret(0), q);
        bytes32 s;
        assembly {
            s := mload(add(signature, 0x40))
            let n := 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141
            mstore(add(signature, 0x40), sub(n, s))
        }
        vm.expectPartialRevert(ECDSA.ECDSAInvalidSignatureS.selector);
        registry.login(q, signature);
    }
}
