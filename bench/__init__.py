"""Benchmarks (`make bench`): grpcdns and CoreDNS on the same cluster, measured in alternation.

python -m bench --write                           everything, into docs/benchmarks.md
python -m bench grpc --size 1000 --seconds 2      one measurement, printed only

measure/    one module for each measurement
setup       a filled cluster and the questions, for all measurements
cluster     the objects of the cluster, and the questions about them
fill        puts the objects into a real API server
servers     the servers that are measured;  echo  is one of them
load        the load generators: load/ (in Go) and dnsperf
usage       CPU time and memory of processes
samples     the results
report      writes docs/benchmarks.md, with  summary, targets, tables, plots
"""
