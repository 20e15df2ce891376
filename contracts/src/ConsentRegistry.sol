// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";

import {Administered} from "./Administered.sol";
import {AuditTrail} from "./AuditTrail.sol";
import {HospitalRegistry} from "./HospitalRegistry.sol";

/// @title What each patient allows, to whom, what for and how long; and every decision that follows from it.
/// @notice Patients sign, anyone relays, so that a patient needs neither an account nor gas. A pause stops all that
///         grants or decides; revoking and withdrawing go on.
/// @dev A record is a random pseudonym, never a hash of an identifier. A patient uses one key per record, or accepts
///      that records under one key can be linked. Commitments are salted; erasing the salt leaves them meaningless.
contract ConsentRegistry is Administered, EIP712 {
    /// @notice A purpose of use, after HL7's ActReason codes.
    enum Purpose {
        Treatment, // TREAT
        Payment, // HPAYMT
        Operations, // HOPERAT
        Research, // HRESCH: federated training among them
        PublicHealth, // PUBHLTH
        Emergency // ETREAT: opened by `breakGlass` only
    }

    /// @notice One record.
    struct Record {
        address patient; // key that consents; zero if there is no such record
        uint24 nonce; // signed requests so far
        uint24 version; // of the stored record, from 1
        uint32 epoch; // raised when all consent is withdrawn
        bool erased;
        bytes32 custodian; // hospital that keeps it
        bytes32 commitment; // salted; see the vault
    }

    /// @notice What a patient allows one hospital for one purpose.
    struct Consent {
        uint16 actions; // sum of the allowed actions
        uint40 notBefore; // seconds since 1970
        uint40 notAfter; // last second of validity
        uint32 epoch;
        uint24 nonce; // names the consent: see `consentId`
    }

    /// @notice A grant, as the patient signs it. Granting again replaces: to narrow is to grant less.
    struct Grant {
        bytes32 record;
        bytes32 grantee;
        Purpose purpose;
        uint16 actions;
        uint40 notBefore;
        uint40 notAfter;
        uint24 nonce;
    }

    /// @notice The pseudonym is taken, also by an erased record.
    error ConsentRecordTaken(bytes32 record);
    /// @notice There is no such record.
    error ConsentRecordUnknown(bytes32 record);
    /// @notice The record was erased.
    error ConsentRecordErased(bytes32 record);
    /// @notice Pseudonym, patient, commitment and justification must not be empty.
    error ConsentEmpty();
    /// @notice Only the custodian of the record may do this.
    error ConsentNotCustodian(bytes32 record, bytes32 caller);
    /// @notice The nonce was used before; `next` is the one to sign.
    error ConsentNonceSpent(uint256 given, uint256 next);
    /// @notice The nonce was never issued; `next` is the one to sign.
    error ConsentNonceUnknown(uint256 given, uint256 next);
    /// @notice The signature is well formed, but not the patient's, or it covers another message.
    error ConsentSignatureMismatch(address expected, address recovered);
    /// @notice The actions must be one or more of 1, 2, 4 and 8.
    error ConsentActionsInvalid(uint256 actions);
    /// @notice The validity is empty or lies in the past.
    error ConsentValidityInvalid(uint256 notBefore, uint256 notAfter, uint256 present);
    /// @notice Emergency access is opened by `breakGlass`, never granted or asked for otherwise.
    error ConsentPurposeReserved();
    /// @notice There is no consent to revoke.
    error ConsentMissing(bytes32 record, bytes32 grantee, Purpose purpose);

    /// @notice A hospital enrolled a record.
    event RecordEnrolled(bytes32 indexed record, bytes32 indexed custodian, address patient, bytes32 commitment);
    /// @notice A record has a new version.
    event RecordAmended(bytes32 indexed record, uint24 version, bytes32 commitment);
    /// @notice A record was erased at its patient's request.
    event RecordErased(bytes32 indexed record, bytes32 indexed custodian);
    /// @notice A patient granted.
    event ConsentGranted(
        bytes32 indexed record,
        bytes32 indexed grantee,
        bytes32 indexed consent,
        Purpose purpose,
        uint16 actions,
        uint40 notBefore,
        uint40 notAfter
    );
    /// @notice A patient revoked one consent.
    event ConsentRevoked(bytes32 indexed record, bytes32 indexed grantee, bytes32 indexed consent, Purpose purpose);
    /// @notice A patient withdrew every consent of a record.
    event ConsentWithdrawn(bytes32 indexed record, uint32 epoch);
    /// @notice A hospital opened a record in an emergency.
    event GlassBroken(bytes32 indexed record, bytes32 indexed hospital, bytes32 justification, uint40 until);

    /// @notice Actions: read, train a model on, amend, share onwards.
    uint16 public constant READ = 1;
    uint16 public constant TRAIN = 2;
    uint16 public constant AMEND = 4;
    uint16 public constant SHARE = 8;
    /// @notice Seconds that an emergency lasts.
    uint40 public constant EMERGENCY_LIFETIME = 4 hours;

    bytes32 private constant GRANT_TYPEHASH = keccak256(
        "Grant(bytes32 record,bytes32 grantee,uint8 purpose,uint16 actions,uint40 notBefore,uint40 notAfter,uint24 nonce)"
    );
    bytes32 private constant REVOCATION_TYPEHASH =
        keccak256("Revocation(bytes32 record,bytes32 grantee,uint8 purpose,uint24 nonce)");
    bytes32 private constant WITHDRAWAL_TYPEHASH = keccak256("Withdrawal(bytes32 record,uint24 nonce)");
    bytes32 private constant ERASURE_TYPEHASH = keccak256("Erasure(bytes32 record,uint24 nonce)");

    /// @notice The registry whose hospitals ask.
    HospitalRegistry public immutable registry;
    /// @notice The trail that every decision extends.
    AuditTrail public immutable trail;

    mapping(bytes32 record => Record) private _records;
    mapping(bytes32 record => mapping(bytes32 grantee => mapping(Purpose => Consent))) private _consents;
    mapping(bytes32 record => mapping(bytes32 hospital => uint40 until)) private _emergencies;

    /// @param admin Owner; handing over takes two steps.
    /// @param registry_ Registry of the hospitals.
    /// @param trail_ Trail in which this contract may append.
    constructor(address admin, HospitalRegistry registry_, AuditTrail trail_)
        Administered(admin)
        EIP712("BFL-STPC ConsentRegistry", "1")
    {
        registry = registry_;
        trail = trail_;
    }

    /// @notice Enrols a record kept by the calling hospital. It permits nothing yet, not even to the custodian.
    /// @param record Random pseudonym.
    /// @param patient Key of the patient for this record.
    /// @param commitment Salted commitment of the stored record.
    function enrol(bytes32 record, address patient, bytes32 commitment) external whenNotPaused {
        (bytes32 custodian,) = registry.requireActive(msg.sender);
        if (record == 0 || patient == address(0) || commitment == 0) revert ConsentEmpty();
        Record storage r = _records[record];
        if (r.patient != address(0) || r.erased) revert ConsentRecordTaken(record);

        r.patient = patient;
        r.version = 1;
        r.custodian = custodian;
        r.commitment = commitment;
        emit RecordEnrolled(record, custodian, patient, commitment);
    }

    /// @notice Replaces the commitment of a record that the calling hospital keeps.
    function amend(bytes32 record, bytes32 commitment) external whenNotPaused {
        Record storage r = _ownRecord(record);
        if (commitment == 0) revert ConsentEmpty();
        r.commitment = commitment;
        emit RecordAmended(record, ++r.version, commitment);
    }

    /// @notice Erases a record at its patient's request. The pseudonym stays taken; nothing is permitted any more.
    /// @param signature EIP-712 signature of `Erasure(record, nonce)` by the patient.
    function erase(bytes32 record, uint24 nonce, bytes calldata signature) external whenNotPaused {
        Record storage r = _ownRecord(record);
        bytes32 custodian = r.custodian;
        _spend(r, nonce, keccak256(abi.encode(ERASURE_TYPEHASH, record, nonce)), signature);
        delete _records[record];
        _records[record].erased = true;
        emit RecordErased(record, custodian);
    }

    /// @notice Grants what the patient signed; replaces an earlier consent for the same hospital and purpose.
    function grant(Grant calldata g, bytes calldata signature) external whenNotPaused {
        Record storage r = _living(g.record);
        if (g.purpose == Purpose.Emergency) revert ConsentPurposeReserved();
        if (g.actions == 0 || g.actions > 15) revert ConsentActionsInvalid(g.actions);
        if (g.notAfter < g.notBefore || g.notAfter < block.timestamp) {
            revert ConsentValidityInvalid(g.notBefore, g.notAfter, block.timestamp);
        }
        bytes32 content = keccak256(
            abi.encode(
                GRANT_TYPEHASH, g.record, g.grantee, g.purpose, g.actions, g.notBefore, g.notAfter, g.nonce
            )
        );
        _spend(r, g.nonce, content, signature);

        _consents[g.record][g.grantee][g.purpose] = Consent({
            actions: g.actions,
            notBefore: g.notBefore,
            notAfter: g.notAfter,
            epoch: r.epoch,
            nonce: g.nonce
        });
        emit ConsentGranted(
            g.record, g.grantee, consentId(g.record, g.nonce), g.purpose, g.actions, g.notBefore, g.notAfter
        );
    }

    /// @notice Revokes one consent. Works while paused: a right can always be taken back.
    /// @param signature EIP-712 signature of `Revocation(record, grantee, purpose, nonce)` by the patient.
    function revoke(bytes32 record, bytes32 grantee, Purpose purpose, uint24 nonce, bytes calldata signature)
        external
    {
        Record storage r = _living(record);
        Consent storage c = _consents[record][grantee][purpose];
        if (c.actions == 0 || c.epoch != r.epoch) revert ConsentMissing(record, grantee, purpose);
        _spend(r, nonce, keccak256(abi.encode(REVOCATION_TYPEHASH, record, grantee, purpose, nonce)), signature);
        bytes32 id = consentId(record, c.nonce);
        delete _consents[record][grantee][purpose];
        emit ConsentRevoked(record, grantee, id, purpose);
    }

    /// @notice Withdraws every consent of a record at once. Works while paused.
    /// @param signature EIP-712 signature of `Withdrawal(record, nonce)` by the patient.
    function withdraw(bytes32 record, uint24 nonce, bytes calldata signature) external {
        Record storage r = _living(record);
        _spend(r, nonce, keccak256(abi.encode(WITHDRAWAL_TYPEHASH, record, nonce)), signature);
        emit ConsentWithdrawn(record, ++r.epoch);
    }

    /// @notice Opens a record to the calling hospital, to read in an emergency, and says so in the trail.
    /// @param record The record.
    /// @param justification SHA-256 of the justification, whose text the hospital must keep: it may name the patient.
    function breakGlass(bytes32 record, bytes32 justification) external whenNotPaused {
        (bytes32 hospital,) = registry.requireActive(msg.sender);
        if (justification == 0) revert ConsentEmpty();
        _living(record);
        uint40 until = uint40(block.timestamp) + EMERGENCY_LIFETIME;
        _emergencies[record][hospital] = until;
        emit GlassBroken(record, hospital, justification, until);
        trail.append(
            hospital, record, uint8(Purpose.Emergency), uint8(READ), AuditTrail.Decision.Emergency, justification, 0
        );
    }

    /// @notice Decides whether the calling hospital may do `action` now, and appends the decision to the trail.
    /// @dev Does not revert on a refusal, which would leave no trace.
    /// @param record The record. @param purpose What for. @param action One action.
    /// @param evidence Digest of what the hospital keeps about the request; zero if nothing.
    /// @return permitted The decision.
    function request(bytes32 record, Purpose purpose, uint16 action, bytes32 evidence)
        external
        whenNotPaused
        returns (bool permitted)
    {
        (bytes32 hospital,) = registry.requireActive(msg.sender);
        if (action != READ && action != TRAIN && action != AMEND && action != SHARE) {
            revert ConsentActionsInvalid(action);
        }
        bytes32 basis;
        (permitted, basis) = _decide(record, hospital, purpose, action);
        AuditTrail.Decision decision = permitted ? AuditTrail.Decision.Permitted : AuditTrail.Decision.Denied;
        trail.append(hospital, record, uint8(purpose), uint8(action), decision, basis, evidence);
    }

    /// @notice Whether `grantee` is active and may do `action` now; leaves no trace.
    function isPermitted(bytes32 record, bytes32 grantee, Purpose purpose, uint16 action) external view returns (bool) {
        if (registry.hospital(grantee).status != HospitalRegistry.Status.Active) return false;
        (bool permitted,) = _decide(record, grantee, purpose, action);
        return permitted;
    }

    /// @notice `isPermitted` for many records, in their order; for reading only, so its length is the caller's affair.
    function arePermitted(bytes32[] calldata records, bytes32 grantee, Purpose purpose, uint16 action)
        external
        view
        returns (bool[] memory permitted)
    {
        permitted = new bool[](records.length);
        if (registry.hospital(grantee).status != HospitalRegistry.Status.Active) return permitted;
        for (uint256 i = 0; i < records.length; ++i) {
            (permitted[i],) = _decide(records[i], grantee, purpose, action);
        }
    }

    /// @notice The record; zero patient if there is none.
    function getRecord(bytes32 record) external view returns (Record memory) {
        return _records[record];
    }

    /// @notice The consent last granted to `grantee` for `purpose`, also if it no longer holds.
    function getConsent(bytes32 record, bytes32 grantee, Purpose purpose) external view returns (Consent memory) {
        return _consents[record][grantee][purpose];
    }

    /// @notice The name of the consent that `nonce` granted: the basis that the trail gives for a permission.
    function consentId(bytes32 record, uint24 nonce) public pure returns (bytes32) {
        return keccak256(abi.encode(record, nonce));
    }

    /// @dev The basis of a refusal is a small number: 1 no record, 2 erased, 3 no consent, 4 not yet valid, 5 expired,
    ///      6 action not covered, 7 no emergency.
    function _decide(bytes32 record, bytes32 hospital, Purpose purpose, uint16 action)
        private
        view
        returns (bool, bytes32)
    {
        Record storage r = _records[record];
        if (r.erased) return (false, bytes32(uint256(2)));
        if (r.patient == address(0)) return (false, bytes32(uint256(1)));
        if (purpose == Purpose.Emergency) {
            uint40 until = _emergencies[record][hospital];
            if (action != READ || until <= block.timestamp) return (false, bytes32(uint256(7)));
            return (true, bytes32(uint256(until)));
        }
        Consent storage c = _consents[record][hospital][purpose];
        if (c.actions == 0 || c.epoch != r.epoch) return (false, bytes32(uint256(3)));
        if (block.timestamp < c.notBefore) return (false, bytes32(uint256(4)));
        if (block.timestamp > c.notAfter) return (false, bytes32(uint256(5)));
        if (c.actions & action == 0) return (false, bytes32(uint256(6)));
        return (true, consentId(record, c.nonce));
    }

    function _living(bytes32 record) private view returns (Record storage r) {
        r = _records[record];
        if (r.erased) revert ConsentRecordErased(record);
        if (r.patient == address(0)) revert ConsentRecordUnknown(record);
    }

    function _ownRecord(bytes32 record) private view returns (Record storage r) {
        r = _living(record);
        (bytes32 hospital,) = registry.requireActive(msg.sender);
        if (r.custodian != hospital) revert ConsentNotCustodian(record, hospital);
    }

    function _spend(Record storage r, uint24 nonce, bytes32 content, bytes calldata signature) private {
        uint24 next = r.nonce;
        if (nonce < next) revert ConsentNonceSpent(nonce, next);
        if (nonce > next) revert ConsentNonceUnknown(nonce, next);
        address recovered = ECDSA.recover(_hashTypedDataV4(content), signature);
        if (recovered != r.patient) revert ConsentSignatureMismatch(r.patient, recovered);
        r.nonce = next + 1;
    }
}
