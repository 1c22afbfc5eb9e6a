"""Every trap that ``grpcdns corefile --check`` knows, confirmed by a real CoreDNS."""
