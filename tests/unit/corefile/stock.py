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

MINIKUBE: Final = KIND.replace("    errors\n", "    log\n    errors\n").replace(
    "    forward .",
    """\
    hosts {
       192.168.49.1 host.minikube.internal
       fallthrough
    }
    forward .""",
)
"""kubeadm's, and what minikube adds to it with each start."""

RKE2: Final = """\
.:53 {
    errors
    health  {
        lameduck 10s
    }
    ready
    kubernetes   cluster.local  cluster.local in-addr.arpa ip6.arpa {
        pods insecure
        fallthrough in-addr.arpa ip6.arpa
        ttl 30
    }
    prometheus   0.0.0.0:9153
    forward   . /etc/resolv.conf
    cache   30
    loop
    reload
    loadbalance
}
"""
"""As CoreDNS's own chart writes it; the cluster's domain stands twice."""

AKS: Final = """\
.:53 {
    errors
    ready
    health {
      lameduck 5s
    }
    kubernetes cluster.local in-addr.arpa ip6.arpa {
      pods insecure
      fallthrough in-addr.arpa ip6.arpa
      ttl 30
    }
    prometheus :9153
    forward . /etc/resolv.conf
    cache 30
    loop
    reload
    loadbalance
    import custom/*.override
    template ANY ANY internal.cloudapp.net {
      match "^(?:[^.]+\\.){4,}internal\\.cloudapp\\.net\\.$"
      rcode NXDOMAIN
      fallthrough
    }
    template ANY ANY reddog.microsoft.com {
      rcode NXDOMAIN
    }
}
import custom/*.server
"""

OPENSHIFT: Final = """\
.:5353 {
    bufsize 1232
    errors
    log . {
        class error
    }
    health {
        lameduck 20s
    }
    ready
    kubernetes cluster.local in-addr.arpa ip6.arpa {
        pods insecure
        fallthrough in-addr.arpa ip6.arpa
    }
    prometheus 127.0.0.1:9153
    forward . /etc/resolv.conf {
        policy sequential
    }
    cache 900 {
        denial 9984 30
    }
    reload
}
hostname.bind:5353 {
    chaos
}
"""

TALOS: Final = """\
.:53 {
    errors
    health {
        lameduck 5s
    }
    ready
    log . {
        class error
    }
    prometheus :9153

    kubernetes cluster.local in-addr.arpa ip6.arpa {
        pods insecure
        fallthrough in-addr.arpa ip6.arpa
        ttl 30
    }
    forward . /etc/resolv.conf {
       max_concurrent 1000
    }
    cache 30 {
       disable success cluster.local
       disable denial cluster.local
    }
    loop
    reload
    loadbalance
}
"""

KOPS: Final = """\
.:53 {
    errors
    health {
      lameduck 5s
    }
    ready
    kubernetes cluster.local. in-addr.arpa ip6.arpa {
      pods insecure
      fallthrough in-addr.arpa ip6.arpa
      ttl 30
    }
    hosts /rootfs/etc/hosts k8s.local {
      ttl 30
      fallthrough
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
"""Of a cluster with gossip; one with a DNS zone has no hosts in it."""

KUBESPRAY: Final = """\
corp.example.org {
    log
    errors {
    }
    forward . 192.0.2.53
    loadbalance
    cache 5
    reload
}
.:53 {
    errors {
    }
    health {
        lameduck 5s
    }
    ready
    kubernetes cluster.local in-addr.arpa ip6.arpa {
      pods insecure
      fallthrough in-addr.arpa ip6.arpa
    }
    prometheus :9153
    forward . /etc/resolv.conf {
      prefer_udp
      max_concurrent 1000
    }
    cache 30
    loop
    reload
    loadbalance
}
"""
"""With a zone of coredns_external_zones."""

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

PLACES: Final = {
    "kubeadm": KIND,
    "kind": KIND,
    "minikube": MINIKUBE,
    "k3s": K3S,
    "rke2": RKE2,
    "eks": EKS,
    "aks": AKS,
    "openshift": OPENSHIFT,
    "talos": TALOS,
    "kops": KOPS,
    "kubespray": KUBESPRAY,
}
"""The stock Corefile of each place that docs/install has a page for. GKE has no CoreDNS."""

STOCK: Final = {
    **PLACES,
    "kubeadm-1.30": KUBEADM,
    "stub-domains": STUB_DOMAINS,
    "external": EXTERNAL,
}
