"""Five hospitals on a chain, and what most tests do with them."""

import hashlib

from bfl_stpc import ledger


def sha(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


class Consortium:
    """Five hospitals, threshold three, and what most tests do with them."""

    def __init__(self, chain: ledger.Chain, seed: int = 1, count: int = 5, threshold: int = 3) -> None:
        self.chain, self.seed = chain, seed
        self.admin = ledger.Identity.derive("consortium", seed)
        self.aggregator = ledger.Identity.derive("aggregator", seed)
        self.stranger = ledger.Identity.derive("stranger", seed)
        self.patient = ledger.Identity.derive("patient", seed)
        names = [f"hospital-{i:02d}" for i in range(count)]
        self.ids = {n: ledger.Identity.derive(n, seed) for n in names}
        self.led = ledger.Ledger.deploy(
            chain,
            admin=self.admin,
            hospitals={n: i.address for n, i in self.ids.items()},
            threshold=threshold,
            coordinator=self.aggregator,
        )
        self.model = sha("weights 0")

    def hospital(self, index: int) -> ledger.Identity:
        return self.ids[f"hospital-{index:02d}"]

    def open(self, **options):
        number = self.led.next_round()
        for identity in self.ids.values():
            self.led.login(identity, round=number, model=self.model)
        return self.led.open_round(number, model=self.model, **options)

    def upload(self, ticket, who=None):
        chosen = list(self.ids.values()) if who is None else [self.hospital(i) for i in who]
        for identity in chosen:
            self.led.commit(identity, ticket, sha(identity.name))
        if len(chosen) < len(self.ids):
            self.led.close_commits(ticket)
        for identity in chosen:
            self.led.reveal(identity, ticket, sha(identity.name))

    def publish(self, ticket):
        self.led.publish_aggregate(ticket, sha("sum"))
        self.led.publish_opening(ticket, sha("slots"))

    def result(self, uploads=None, checks=(0, 0)):
        return ledger.Result(sha("sum"), sha("weights 1"), len(self.ids) if uploads is None else uploads, 0.5, checks)

    def approvals(self, ticket, result, who=(0, 1, 2)):
        return [self.led.approve(self.hospital(i), ticket, result) for i in who]
