"""Corefiles in the shapes that distributions ship, small: what --from has to translate."""

from __future__ import annotations

from typing import Final

KUBEADM: Final = """\
.:53 {
    errors
    health {
       lameduck 5s
    }
    ready
    kubernetes cluster.local in-addr.arpa ip6.arpa {
       pods insecure
       fallthrough in-addr.arpa ip6.arpa
       ttl 30
    }
    prometheus :9153
    forward . /etc/resolv.conf {
       max_concurrent 1000
    }
    cache 30
    loop
    reload
    loadbalance
}
"""

KIND: Final = KUBEADM.replace(
    "    cache 30\n",
    """\
    cache 30 {
       disable success cluster.local
       disable denial cluster.local
    }
""",
)

K3S: Final = """\
.:53 {
    errors
    health
    ready
    kubernetes cluster.local in-addr.arpa ip6.arpa {
      pods insecure
      fallthrough in-addr.arpa ip6.arpa
    }
    hosts /etc/coredns/NodeHosts {
      ttl 60
      reload 15s
      fallthrough
    }
    prometheus :9153
    cache 30
    loop
    reload
    loadbalance
    import /etc/coredns/custom/*.override
    forward . /etc/resolv.conf
}
import /etc/coredns/custom/*.server
"""

EKS: Final = """\
.:53 {
    errors
    health {
        lameduck 5s
      }
    ready
    kubernetes cluster.local in-addr.arpa ip6.arpa {
      pods insecure
      fallthrough in-addr.arpa ip6.arpa
    }
    prometheus :9153
    forward . /etc/resolv.conf
    cache 30
    loop
    reload
    loadbalance
}
"""

STUB_DOMAINS: Final = """\
# The domain of the office, and the cluster with a network by its CIDR.
office.example.org:53 {
    errors
    cache 30
    forward . 192.0.2.53
}

.:53 {
    errors
    health {
        lameduck 20s
    }
    ready
    # Names of the cluster.
    kubernetes cluster.local. 10.0.0.0/20 {
        pods verified
        namespaces default kube-system
        fallthrough
    }
    autopath @kubernetes
    log . {
        class error
    }
    forward . 192.0.2.1 192.0.2.2
    cache 30
}
"""

EXTERNAL: Final = """\
(common) {
    errors
    cache 30
}

cluster.local clusterset.local 10.96.0.0/12 {
    import common
    kubernetes cluster.local clusterset.local {
        endpoint https://192.0.2.6:6443
        kubeconfig /etc/kubeconfig admin
        multicluster clusterset.local
        labels app in (a, b)
        ignore empty_service
        noendpoints
    }
}

apps.example.org {
    import common
    kubernetes cluster.local
    k8s_external apps.example.org {
        apex dns1
        ttl 60
        headless
    }
    transfer {
        to *
    }
}
"""

STOCK: Final = {
    "kubeadm": KUBEADM,
    "kind": KIND,
    "k3s": K3S,
    "eks": EKS,
    "stub-domains": STUB_DOMAINS,
    "external": EXTERNAL,
}
