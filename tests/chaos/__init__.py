"""Histories of a whole system under faults, and a checker that says whether each answer was true.

    world       real etcd, kube-apiserver, controllers, CoreDNS, `grpcdns serve` with two workers
    gate        a proxy before the API that can slow, cut, silence and refuse
    truth       what the API accepted and when, as etcd has it
    writers     change Services, slices, Pods and Namespaces all the time
    readers     ask CoreDNS and each socket, many questions at once
    nemesis     the faults, by a seed;  disk: one that can be full
    history     the records of all of them, as JSON lines
    model       what a name's answer is, by a few rules independent of the product's
    checker     reads a history and finds what was never true;  order: whether answers go back
    oracle      CoreDNS's own plugin, which must agree at the end
    planted     faults of the product, which the checker must find

`make chaos SECONDS= SEED=`, or `python -m tests.chaos --help`.
"""
