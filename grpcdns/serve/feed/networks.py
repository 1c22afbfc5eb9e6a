"""What the cluster's ServiceCIDRs say about the zones: a Service network whose reverse names nobody
answers is logged once, and counted for the metrics.

With ``--zones auto`` the zones follow by themselves. The Corefile does not, and says what is asked
of us at all: then it is what the log is about.
"""

from __future__ import annotations

import logging

from grpcdns.core.answers.policy import Policy
from grpcdns.core.cluster.index import service_networks
from grpcdns.core.cluster.store import Store
from grpcdns.core.dns.names import reverse_zones_outside

_log = logging.getLogger(__name__)


class ServiceNetworks:
    """Follows the ServiceCIDRs in a Store by `tick`."""

    def __init__(self, store: Store, policy: Policy) -> None:
        self.outside: int | None = None
        """How many networks have reverse zones that are not among the zones; None if no ServiceCIDR
        is known."""
        self._store = store
        self._policy = policy
        self._seen: tuple[str, ...] = ()
        self._logged: frozenset[str] = frozenset()

    def use(self, policy: Policy) -> None:
        """New options for answers."""
        if policy.zones != self._policy.zones:
            self._policy, self._seen, self._logged = policy, (), frozenset()
            self.tick()

    def tick(self) -> None:
        """To be called often: does nothing while the networks are what they were."""
        networks = service_networks(self._store)
        if networks == self._seen:
            return
        first, self._seen = not self._seen, networks
        if self._policy.follows_networks:
            self.outside = 0 if networks else None
            self._log_followed(networks, first=first)
            return
        outside = [one for one in networks if reverse_zones_outside(one, self._policy.zones)]
        self.outside = len(outside) if networks else None
        for one in outside:
            if one not in self._logged:
                _log.warning(
                    "ServiceCIDR %s is not in --zones: PTR of its addresses is REFUSED; add it to"
                    " --zones, and to the zones of the Corefile's server block",
                    one,
                )
        self._logged = frozenset(outside)

    def _log_followed(self, networks: tuple[str, ...], *, first: bool) -> None:
        news = [one for one in networks if one not in self._logged]
        if news:
            _log.log(
                logging.INFO if first else logging.WARNING,
                "--zones auto: reverse zones of ServiceCIDR %s; the zones of the Corefile's server"
                " block must have it, too",
                ", ".join(news),
            )
        self._logged = frozenset(networks)
