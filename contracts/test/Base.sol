// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AuditTrail} from "../src/AuditTrail.sol";
import {ConsentRegistry} from "../src/ConsentRegistry.sol";
import {FLRoundManager} from "../src/FLRoundManager.sol";
import {HospitalRegistry} from "../src/HospitalRegistry.sol";

/// @dev The few cheatcodes used, so that no further library is needed.
interface Vm {
    function addr(uint256 key) external pure returns (address);
    function sign(uint256 key, bytes32 digest) external pure returns (uint8 v, bytes32 r, bytes32 s);
    function prank(address sender) external;
    function warp(uint256 time) external;
    function roll(uint256 number) external;
    function chainId(uint256 id) external;
    function assume(bool condition) external pure;
    function expectPartialRevert(bytes4 selector) external;
    function expectRevert(bytes calldata data) external;
}

/// @dev Deploys the four contracts, with this contract as owner and coordinator, and registers four hospitals.
abstract contract Base {
    Vm internal constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));
    uint256 internal constant COUNT = 4;
    uint16 internal constant THRESHOLD = 3;
    bytes32 internal constant MODEL = keccak256("weights 0");
    bytes32 internal constant RECORD = keccak256("pseudonym");
    uint256 internal constant PATIENT = 0xA11CE;
    uint256 internal constant STRANGER = 0x5712A;

    HospitalRegistry internal registry;
    FLRoundManager internal rounds;
    AuditTrail internal trail;
    ConsentRegistry internal consents;

    function deploy() internal {
        vm.warp(1_767_225_600);
        vm.roll(100);
        registry = new HospitalRegistry(address(this), 3600);
        rounds = new FLRoundManager(address(this), registry, address(this));
        trail = new AuditTrail(address(this), registry);
        consents = new ConsentRegistry(address(this), registry, trail);
        trail.setWriter(address(consents), true);
        for (uint256 i = 0; i < COUNT; ++i) {
            registry.register(hospitalName(i), hospitalKey(i));
        }
    }

    function hospitalName(uint256 i) internal pure returns (bytes32) {
        return bytes32(bytes.concat("hospital-", bytes1(uint8(48 + i))));
    }

    function secret(uint256 i) internal pure returns (uint256) {
        return 1000 + i;
    }

    function hospitalKey(uint256 i) internal pure returns (address) {
        return vm.addr(secret(i));
    }

    function domain(string memory name, address at) internal view returns (bytes32) {
        return keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256(bytes(name)),
                keccak256("1"),
                block.chainid,
                at
            )
        );
    }

    function signed(uint256 key, bytes32 domain_, bytes32 content) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, keccak256(abi.encodePacked("\x19\x01", domain_, content)));
        return abi.encodePacked(r, s, v);
    }

    function loginRequest(uint256 i, uint64 round, bytes32 model)
        internal
        view
        returns (HospitalRegistry.LoginRequest memory)
    {
        return HospitalRegistry.LoginRequest({
            chainId: block.chainid,
            registry: address(registry),
            key: hospitalKey(i),
            nonce: registry.nonces(hospitalKey(i)),
            round: round,
            model: model,
            expiry: uint64(block.timestamp) + 300
        });
    }

    function loginSignature(uint256 key, HospitalRegistry.LoginRequest memory q) internal view returns (bytes memory) {
        bytes32 content = keccak256(
            abi.encode(
                keccak256("Login(address key,uint256 nonce,uint64 round,bytes32 model,uint64 expiry)"),
                q.key,
                q.nonce,
                q.round,
                q.model,
                q.expiry
            )
        );
        return signed(key, domain("BFL-STPC HospitalRegistry", address(registry)), content);
    }

    function login(uint256 i, uint64 round, bytes32 model) internal {
        HospitalRegistry.LoginRequest memory q = loginRequest(i, round, model);
        registry.login(q, loginSignature(secret(i), q));
    }

    function rotationProof(uint256 key, bytes32 name, uint32 version) internal view returns (bytes memory) {
        bytes32 content = keccak256(
            abi.encode(keccak256("Rotation(bytes32 name,address key,uint32 keyVersion)"), name, vm.addr(key), version)
        );
        return signed(key, domain("BFL-STPC HospitalRegistry", address(registry)), content);
    }

    function open(uint64 round, uint64 modulus) internal {
        for (uint256 i = 0; i < COUNT; ++i) {
            login(i, round, MODEL);
        }
        rounds.openRound(round, MODEL, THRESHOLD, modulus, FLRoundManager.Durations(600, 600, 600));
    }

    function digestOf(uint256 i) internal pure returns (bytes32) {
        return keccak256(abi.encode("ciphertext", i));
    }

    function commit(uint64 round, uint256 i) internal {
        bytes32 commitment = rounds.commitmentOf(round, hospitalKey(i), digestOf(i), bytes32(i));
        vm.prank(hospitalKey(i));
        rounds.commit(round, commitment);
    }

    function reveal(uint64 round, uint256 i) internal {
        vm.prank(hospitalKey(i));
        rounds.reveal(round, digestOf(i), bytes32(i));
    }

    function publish(uint64 round) internal {
        rounds.publishAggregate(round, keccak256("sum"));
        rounds.publishOpening(round, keccak256("slots"));
    }

    function result(uint16 uploads, uint64[2] memory checks) internal pure returns (FLRoundManager.Result memory) {
        return FLRoundManager.Result(keccak256("sum"), MODEL, uploads, 1e9, checks);
    }

    function approval(uint64 round, FLRoundManager.Result memory r, uint256 i) internal view returns (bytes memory) {
        (uint8 v, bytes32 a, bytes32 b) = vm.sign(secret(i), rounds.resultDigest(round, r));
        return abi.encodePacked(a, b, v);
    }

    function approvals(uint64 round, FLRoundManager.Result memory r, uint256 count)
        internal
        view
        returns (bytes[] memory all)
    {
        all = new bytes[](count);
        for (uint256 i = 0; i < count; ++i) {
            all[i] = approval(round, r, i);
        }
    }

    function patientSigned(uint256 key, bytes32 content) internal view returns (bytes memory) {
        return signed(key, domain("BFL-STPC ConsentRegistry", address(consents)), content);
    }

    function grantOf(bytes32 grantee, ConsentRegistry.Purpose purpose, uint16 actions, uint40 from, uint40 to)
        internal
        view
        returns (ConsentRegistry.Grant memory)
    {
        uint24 nonce = consents.getRecord(RECORD).nonce;
        return ConsentRegistry.Grant(RECORD, grantee, purpose, actions, from, to, nonce);
    }

    function grantSignature(uint256 key, ConsentRegistry.Grant memory g) internal view returns (bytes memory) {
        bytes32 kind = keccak256(
            "Grant(bytes32 record,bytes32 grantee,uint8 purpose,uint16 actions,uint40 notBefore,uint40 notAfter,uint24 nonce)"
        );
        return patientSigned(
            key,
            keccak256(abi.encode(kind, g.record, g.grantee, g.purpose, g.actions, g.notBefore, g.notAfter, g.nonce))
        );
    }

    function revocation(uint256 key, bytes32 grantee, ConsentRegistry.Purpose purpose, uint24 nonce)
        internal
        view
        returns (bytes memory)
    {
        bytes32 kind = keccak256("Revocation(bytes32 record,bytes32 grantee,uint8 purpose,uint24 nonce)");
        return patientSigned(key, keccak256(abi.encode(kind, RECORD, grantee, purpose, nonce)));
    }

    function withdrawal(uint256 key, uint24 nonce) internal view returns (bytes memory) {
        bytes32 kind = keccak256("Withdrawal(bytes32 record,uint24 nonce)");
        return patientSigned(key, keccak256(abi.encode(kind, RECORD, nonce)));
    }

    function erasure(uint256 key, uint24 nonce) internal view returns (bytes memory) {
        bytes32 kind = keccak256("Erasure(bytes32 record,uint24 nonce)");
        return patientSigned(key, keccak256(abi.encode(kind, RECORD, nonce)));
    }
}
