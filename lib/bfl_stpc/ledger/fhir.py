"""FHIR R4 at the ledger's edge: validation of records, and `AuditEvent` and `Consent` resources.

Validation is that of fhir.resources (R4B: the resources used here are those of R4). HL7 FHIR Release 4 (4.0.1).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from bfl_stpc.errors import SchemaError
from bfl_stpc.lazy import Lazy
from bfl_stpc.ledger.audit import Action, Decision, Entry, Purpose

if TYPE_CHECKING:
    from fhir.resources import R4B
else:
    R4B = Lazy("fhir.resources.R4B")

REASON_CODES = {
    Purpose.TREATMENT: "TREAT",
    Purpose.PAYMENT: "HPAYMT",
    Purpose.OPERATIONS: "HOPERAT",
    Purpose.RESEARCH: "HRESCH",
    Purpose.PUBLIC_HEALTH: "PUBHLTH",
    Purpose.EMERGENCY: "ETREAT",
}
ACT_REASON = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
EVENT_TYPE = {"system": "http://terminology.hl7.org/CodeSystem/audit-event-type", "code": "rest"}
CONSENT_SCOPE = "http://terminology.hl7.org/CodeSystem/consentscope"
CONSENT_ACTION = "http://terminology.hl7.org/CodeSystem/consentaction"
LOINC_CONSENT = {"system": "http://loinc.org", "code": "59284-0"}  # patient consent
EVENT_ACTIONS = {Action.READ: "R", Action.TRAIN: "E", Action.AMEND: "U", Action.SHARE: "R"}
CONSENT_ACTIONS = {Action.READ: "access", Action.TRAIN: "use", Action.AMEND: "correct", Action.SHARE: "disclose"}
RECORD_SYSTEM = "urn:bfl-stpc:record"
HOSPITAL_SYSTEM = "urn:bfl-stpc:hospital"


def canonical(resource: Mapping[str, Any]) -> bytes:
    """Return a valid FHIR R4 resource as canonical JSON: keys sorted, no blanks, UTF-8.

    Raises:
        SchemaError: it is no valid resource; the first fault is named by its path.
    """
    kind = resource.get("resourceType")
    try:
        model = R4B.get_fhir_model_class(str(kind))
    except ValueError as error:
        raise SchemaError(f"{kind!r} is no FHIR R4 resource type") from error
    try:
        model.model_validate(resource)
    except ValidationError as error:
        first = error.errors()[0]
        path = ".".join(map(str, first["loc"])) or str(kind)
        raise SchemaError(f"{kind}: {path}: {first['msg']} (and {error.error_count() - 1} more)") from error
    return json.dumps(resource, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def parse(data: bytes) -> dict[str, Any]:
    """Return the resource of canonical JSON, validated again."""
    resource = json.loads(data)
    canonical(resource)
    return resource


def audit_event(entry: Entry) -> dict[str, Any]:
    """Return an entry of the trail as a FHIR `AuditEvent`, valid, with no free text and no identifier of a person."""
    refused = entry.decision == Decision.DENIED
    resource: dict[str, Any] = {
        "resourceType": "AuditEvent",
        "type": EVENT_TYPE,
        "recorded": _instant(entry.time),
        "outcome": "4" if refused else "0",
        "outcomeDesc": Decision(entry.decision).name.lower(),
        "agent": [{"who": {"identifier": {"system": HOSPITAL_SYSTEM, "value": entry.actor}}, "requestor": True}],
        "source": {"observer": {"identifier": {"system": "urn:bfl-stpc:trail", "value": str(entry.sequence)}}},
        "entity": [
            {
                "what": {"identifier": {"system": RECORD_SYSTEM, "value": entry.record.hex()}},
                "detail": [
                    {"type": "basis", "valueString": entry.basis.hex()},
                    {"type": "evidence", "valueString": entry.evidence.hex()},
                ],
            }
        ],
    }
    if entry.decision != Decision.ANCHORED:
        resource["action"] = EVENT_ACTIONS[Action(entry.action)]
        code = REASON_CODES[Purpose(entry.purpose)]
        resource["purposeOfEvent"] = [{"coding": [{"system": ACT_REASON, "code": code}]}]
    canonical(resource)
    return resource


def consent(values: Mapping[str, Any], granted_at: int, *, active: bool) -> dict[str, Any]:
    """Return the values of a `ConsentGranted` event, emitted at `granted_at`, as a FHIR `Consent`, valid."""
    actions = [a for a in Action if values["actions"] & a]
    resource = {
        "resourceType": "Consent",
        "identifier": [{"system": "urn:bfl-stpc:consent", "value": values["consent"].hex()}],
        "status": "active" if active else "inactive",
        "scope": {"coding": [{"system": CONSENT_SCOPE, "code": "patient-privacy"}]},
        "category": [{"coding": [LOINC_CONSENT]}],
        "patient": {"identifier": {"system": RECORD_SYSTEM, "value": values["record"].hex()}},
        "dateTime": _instant(granted_at),
        "policyRule": {"text": "signed by the patient's key; see the contract ConsentRegistry"},
        "provision": {
            "type": "permit",
            "period": {"start": _instant(values["notBefore"]), "end": _instant(values["notAfter"])},
            "actor": [
                {
                    "role": {"text": "hospital"},
                    "reference": {
                        "identifier": {"system": HOSPITAL_SYSTEM, "value": values["grantee"].rstrip(b"\0").decode()}
                    },
                }
            ],
            "action": [{"coding": [{"system": CONSENT_ACTION, "code": CONSENT_ACTIONS[a]}]} for a in actions],
            "purpose": [{"system": ACT_REASON, "code": REASON_CODES[Purpose(values["purpose"])]}],
        },
    }
    canonical(resource)
    return resource


def _instant(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")
