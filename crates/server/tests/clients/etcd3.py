"""python-etcd3 against the server at the port that the first argument names. Exits with an error if anything is wrong."""

import sys

import etcd3

client = etcd3.client(host="127.0.0.1", port=int(sys.argv[1]))

client.put("py/a", "1")
value, meta = client.get("py/a")
assert value == b"1" and meta.key == b"py/a" and meta.version == 1, (value, meta.version)
assert client.get("py/none") == (None, None)
client.put("py/b", "2")
assert [value for value, _ in client.get_prefix("py/")] == [b"1", b"2"]
assert [value for value, _ in client.get_range("py/b", "py/c")] == [b"2"]
assert client.put_if_not_exists("py/a", "other") is False
assert client.replace("py/a", "1", "3") is True
assert client.replace("py/a", "1", "4") is False

done, answers = client.transaction(
    compare=[client.transactions.value("py/a") == "3", client.transactions.version("py/a") > 1],
    success=[client.transactions.put("py/a", "5"), client.transactions.get("py/b")],
    failure=[client.transactions.delete("py/a")],
)
assert done and answers[1][0][0] == b"2", answers

lease = client.lease(60)
client.put("py/leased", "x", lease)
assert lease.granted_ttl == 60 and lease.remaining_ttl <= 60 and lease.keys == [b"py/leased"]
assert lease.refresh()[0].TTL == 60
lease.revoke()
assert client.get("py/leased")[0] is None

events, cancel = client.watch_prefix("py/")
client.put("py/a", "6")
client.delete("py/a")
first, second = next(events), next(events)
cancel()
assert (type(first).__name__, first.key, first.value) == ("PutEvent", b"py/a", b"6"), first
assert (type(second).__name__, second.key) == ("DeleteEvent", b"py/a"), second

with client.lock("py/lock", ttl=20) as lock:
    assert lock.is_acquired()
assert not lock.is_acquired()

assert client.delete_prefix("py/").deleted == 1
status = client.status()
assert status.leader is not None and status.version, status
assert [member.name for member in client.members] == ["m1"]
client.compact(2)
client.defragment()
client.close()
