// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";

import {Administered} from "./Administered.sol";

/// @title Who the hospitals are, which key speaks for each, and who is logged in.
/// @notice A hospital logs in by signing an EIP-712 challenge; a session is bound to one round and one global model.
/// @dev At most 256 hospitals, so that the members of a round fit one word and no function loops over them.
///      While paused nothing can be granted, rotated or logged in; rights can still be taken away.
contract HospitalRegistry is Administered, EIP712 {
    /// @notice Where a hospital stands. `Revoked` is final.
    enum Status {
        Unknown,
        Active,
        Suspended,
        Revoked
    }

    /// @notice One hospital of the consortium.
    struct Hospital {
        address key; // signs for the hospital now
        uint8 index; // place in ledger order, never reused
        Status status;
        uint32 keyVersion; // 1 at registration, one more at each rotation
    }

    /// @notice An authenticated session of a hospital's key.
    struct Session {
        uint64 round;
        uint64 validUntil; // seconds since 1970
        bytes32 model; // SHA-256 of the global weights
    }

    /// @notice What the hospital's key signs, and the domain in which it says that it signed.
    /// @dev `chainId` and `registry` are checked to name the fault; the signature binds them through the domain.
    struct LoginRequest {
        uint256 chainId;
        address registry;
        address key;
        uint256 nonce;
        uint64 round;
        bytes32 model;
        uint64 expiry; // seconds since 1970; the challenge, not the session
    }

    /// @notice `name` is registered already.
    error HospitalNameTaken(bytes32 name);
    /// @notice No hospital is called `name`.
    error HospitalUnknown(bytes32 name);
    /// @notice The empty name and the zero key stand for nobody.
    error HospitalEmpty();
    /// @notice `key` speaks, or once spoke, for a hospital; keys are never reused.
    error HospitalKeyTaken(address key);
    /// @notice `key` never belonged to a hospital.
    error HospitalKeyUnknown(address key);
    /// @notice `key` was rotated away.
    error HospitalKeyRetired(address key, bytes32 name);
    /// @notice `name` is suspended until the owner reinstates it.
    error HospitalSuspended(bytes32 name);
    /// @notice `name` was revoked for good.
    error HospitalRevoked(bytes32 name);
    /// @notice The registry holds 256 hospitals already.
    error HospitalRegistryFull();
    /// @notice Only the hospital's own key or the owner may do this.
    error HospitalCallerForbidden(address caller);
    /// @notice The request was signed for chain `given`; this is chain `here`.
    error HospitalForeignChain(uint256 given, uint256 here);
    /// @notice The request was signed for contract `given`; this is `here`.
    error HospitalForeignContract(address given, address here);
    /// @notice The nonce was used before; `next` is the one to sign.
    error HospitalNonceSpent(uint256 given, uint256 next);
    /// @notice The nonce was never issued; `next` is the one to sign.
    error HospitalNonceUnknown(uint256 given, uint256 next);
    /// @notice The challenge expired at `expiry`.
    error HospitalChallengeExpired(uint256 expiry, uint256 present);
    /// @notice The challenge asks to live beyond `latest`.
    error HospitalExpiryTooFar(uint256 expiry, uint256 latest);
    /// @notice The signature is well formed, but another key made it, or it covers another message.
    error HospitalSignatureMismatch(address expected, address recovered);
    /// @notice `key` has no session for this round and model.
    error HospitalSessionMissing(address key, uint256 round, bytes32 model);
    /// @notice The session of `key` ended at `validUntil`.
    error HospitalSessionExpired(address key, uint256 validUntil, uint256 present);
    /// @notice A session must last at least a second and at most a day.
    error HospitalLifetimeOutOfRange(uint256 given);

    /// @notice A hospital joined.
    event HospitalRegistered(bytes32 indexed name, address indexed key, uint8 index);
    /// @notice A hospital's status changed.
    event HospitalStatusChanged(bytes32 indexed name, Status status);
    /// @notice Another key speaks for the hospital from now on.
    event HospitalKeyRotated(bytes32 indexed name, address indexed retired, address indexed key, uint32 keyVersion);
    /// @notice The contract accepted a login.
    event HospitalLoggedIn(
        bytes32 indexed name, address indexed key, uint64 indexed round, bytes32 model, uint256 nonce, uint64 validUntil
    );

    /// @notice How long a signed challenge may wait, in seconds.
    uint64 public constant CHALLENGE_LIFETIME = 600;

    bytes32 private constant LOGIN_TYPEHASH =
        keccak256("Login(address key,uint256 nonce,uint64 round,bytes32 model,uint64 expiry)");
    bytes32 private constant ROTATION_TYPEHASH = keccak256("Rotation(bytes32 name,address key,uint32 keyVersion)");

    /// @notice How long a session lasts, in seconds.
    uint64 public immutable sessionLifetime;

    mapping(bytes32 name => Hospital) private _hospitals;
    mapping(address key => bytes32 name) private _names;
    mapping(address key => uint256) private _nonces;
    mapping(address key => Session) private _sessions;
    bytes32[] private _order;
    uint256 private _active; // bit i is set while hospital i is active
    uint16 private _activeCount;

    /// @param admin Owner; handing over takes two steps.
    /// @param lifetime Seconds that a session lasts: 1 to 86400.
    constructor(address admin, uint64 lifetime) Administered(admin) EIP712("BFL-STPC HospitalRegistry", "1") {
        if (lifetime == 0 || lifetime > 1 days) revert HospitalLifetimeOutOfRange(lifetime);
        sessionLifetime = lifetime;
    }

    /// @notice Registers a hospital as active, at the next place in ledger order.
    /// @param name ASCII name, zero-padded on the right.
    /// @param key Address whose signatures speak for it.
    function register(bytes32 name, address key) external onlyOwner whenNotPaused {
        if (name == 0 || key == address(0)) revert HospitalEmpty();
        if (_hospitals[name].status != Status.Unknown) revert HospitalNameTaken(name);
        if (_names[key] != 0) revert HospitalKeyTaken(key);
        uint256 index = _order.length;
        if (index == 256) revert HospitalRegistryFull();

        _hospitals[name] = Hospital({key: key, index: uint8(index), status: Status.Active, keyVersion: 1});
        _names[key] = name;
        _order.push(name);
        _setActive(uint8(index), true);
        emit HospitalRegistered(name, key, uint8(index));
    }

    /// @notice Suspends an active hospital. Works while paused.
    function suspend(bytes32 name) external onlyOwner {
        Hospital storage h = _living(name);
        if (h.status != Status.Active) revert HospitalSuspended(name);
        _setStatus(name, h, Status.Suspended);
    }

    /// @notice Makes a suspended hospital active again. An active one stays so.
    function reinstate(bytes32 name) external onlyOwner whenNotPaused {
        Hospital storage h = _living(name);
        if (h.status == Status.Suspended) _setStatus(name, h, Status.Active);
    }

    /// @notice Revokes a hospital for good. Works while paused.
    function revoke(bytes32 name) external onlyOwner {
        _setStatus(name, _living(name), Status.Revoked);
    }

    /// @notice Lets another key speak for the hospital; the old one is retired and its session ends.
    /// @dev A commitment made by the old key can no longer be revealed: the hospital drops out of that round.
    /// @param name The hospital.
    /// @param key The new key, which must never have been used here.
    /// @param proof EIP-712 signature of `Rotation(name, key, keyVersion + 1)` by the new key: proof of possession.
    function rotateKey(bytes32 name, address key, bytes calldata proof) external whenNotPaused {
        Hospital storage h = _living(name);
        address retired = h.key;
        if (msg.sender != owner()) {
            if (msg.sender != retired) revert HospitalCallerForbidden(msg.sender);
            if (h.status == Status.Suspended) revert HospitalSuspended(name); // its key may be the reason
        }
        if (key == address(0)) revert HospitalEmpty();
        if (_names[key] != 0) revert HospitalKeyTaken(key);
        uint32 version = h.keyVersion + 1;
        _checkSigner(key, keccak256(abi.encode(ROTATION_TYPEHASH, name, key, version)), proof);

        h.key = key;
        h.keyVersion = version;
        _names[key] = name;
        delete _sessions[retired];
        emit HospitalKeyRotated(name, retired, key, version);
    }

    /// @notice Verifies a signed challenge, spends its nonce and opens a session. Anyone may relay it.
    /// @param request The message, and the domain in which it was signed.
    /// @param signature 65 bytes r, s, v with s in the lower half of the order.
    /// @return validUntil End of the session, in seconds since 1970.
    function login(LoginRequest calldata request, bytes calldata signature)
        external
        whenNotPaused
        returns (uint64 validUntil)
    {
        if (request.chainId != block.chainid) revert HospitalForeignChain(request.chainId, block.chainid);
        if (request.registry != address(this)) revert HospitalForeignContract(request.registry, address(this));
        (bytes32 name,) = _requireActive(request.key);
        uint256 next = _nonces[request.key];
        if (request.nonce < next) revert HospitalNonceSpent(request.nonce, next);
        if (request.nonce > next) revert HospitalNonceUnknown(request.nonce, next);
        if (request.expiry <= block.timestamp) revert HospitalChallengeExpired(request.expiry, block.timestamp);
        uint256 latest = block.timestamp + CHALLENGE_LIFETIME;
        if (request.expiry > latest) revert HospitalExpiryTooFar(request.expiry, latest);
        bytes32 content = keccak256(
            abi.encode(LOGIN_TYPEHASH, request.key, request.nonce, request.round, request.model, request.expiry)
        );
        _checkSigner(request.key, content, signature);

        validUntil = uint64(block.timestamp) + sessionLifetime;
        _nonces[request.key] = next + 1;
        _sessions[request.key] = Session({round: request.round, validUntil: validUntil, model: request.model});
        emit HospitalLoggedIn(name, request.key, request.round, request.model, next, validUntil);
    }

    /// @notice Reverts unless `key` speaks for an active hospital.
    /// @return name The hospital. @return index Its place in ledger order.
    function requireActive(address key) external view returns (bytes32 name, uint8 index) {
        return _requireActive(key);
    }

    /// @notice Reverts unless `key` holds a live session for this round and model, and the registry is not paused.
    /// @return name The hospital. @return index Its place in ledger order.
    function requireSession(address key, uint64 round, bytes32 model)
        external
        view
        whenNotPaused
        returns (bytes32 name, uint8 index)
    {
        (name, index) = _requireActive(key);
        Session storage s = _sessions[key];
        if (s.validUntil == 0 || s.round != round || s.model != model) revert HospitalSessionMissing(key, round, model);
        if (s.validUntil <= block.timestamp) revert HospitalSessionExpired(key, s.validUntil, block.timestamp);
    }

    /// @notice The active hospitals: bit i for hospital i, and how many bits are set.
    function activeMembers() external view returns (uint256 members, uint16 count) {
        return (_active, _activeCount);
    }

    /// @notice The nonce that the next login of `key` must sign.
    function nonces(address key) external view returns (uint256) {
        return _nonces[key];
    }

    /// @notice The hospital called `name`; status `Unknown` if there is none.
    function hospital(bytes32 name) external view returns (Hospital memory) {
        return _hospitals[name];
    }

    /// @notice The hospital for which `key` speaks or spoke; zero if none.
    function nameOf(address key) external view returns (bytes32) {
        return _names[key];
    }

    /// @notice The name at place `index` of ledger order.
    function nameAt(uint256 index) external view returns (bytes32) {
        return _order[index];
    }

    /// @notice How many hospitals were ever registered.
    function size() external view returns (uint256) {
        return _order.length;
    }

    /// @notice The last session of `key`; all zero if there was none.
    function session(address key) external view returns (Session memory) {
        return _sessions[key];
    }

    function _living(bytes32 name) private view returns (Hospital storage h) {
        h = _hospitals[name];
        if (h.status == Status.Unknown) revert HospitalUnknown(name);
        if (h.status == Status.Revoked) revert HospitalRevoked(name);
    }

    function _requireActive(address key) private view returns (bytes32 name, uint8 index) {
        name = _names[key];
        if (name == 0) revert HospitalKeyUnknown(key);
        Hospital storage h = _hospitals[name];
        if (h.key != key) revert HospitalKeyRetired(key, name);
        if (h.status == Status.Suspended) revert HospitalSuspended(name);
        if (h.status == Status.Revoked) revert HospitalRevoked(name);
        index = h.index;
    }

    function _setStatus(bytes32 name, Hospital storage h, Status status) private {
        if (h.status == Status.Active) _setActive(h.index, false);
        h.status = status;
        if (status == Status.Active) _setActive(h.index, true);
        emit HospitalStatusChanged(name, status);
    }

    function _setActive(uint8 index, bool on) private {
        _active ^= uint256(1) << index;
        _activeCount = on ? _activeCount + 1 : _activeCount - 1;
    }

    function _checkSigner(address expected, bytes32 content, bytes calldata signature) private view {
        address recovered = ECDSA.recover(_hashTypedDataV4(content), signature);
        if (recovered != expected) revert HospitalSignatureMismatch(expected, recovered);
    }
}
