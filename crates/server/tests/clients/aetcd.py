"""aetcd against the server at the port that the first argument names. Exits with an error if anything is wrong."""

import asyncio
import sys

import aetcd


async def main():
    async with aetcd.Client(host="127.0.0.1", port=int(sys.argv[1])) as client:
        await client.put(b"ae/a", b"1")
        found = await client.get(b"ae/a")
        assert found.value == b"1" and found.version == 1, found
        assert await client.get(b"ae/none") is None
        await client.put(b"ae/b", b"2")
        assert [one.value for one in await client.get_prefix(b"ae/")] == [b"1", b"2"]
        assert await client.replace(b"ae/a", b"1", b"3")
        assert not await client.replace(b"ae/a", b"1", b"4")

        done, _ = await client.transaction(
            compare=[client.transactions.value(b"ae/a") == b"3"],
            success=[client.transactions.put(b"ae/a", b"5")],
            failure=[client.transactions.delete(b"ae/a")],
        )
        assert done and (await client.get(b"ae/a")).value == b"5"

        lease = await client.lease(60)
        await client.put(b"ae/leased", b"x", lease=lease)
        assert await lease.remaining_ttl() <= 60
        await lease.refresh()
        await lease.revoke()
        assert await client.get(b"ae/leased") is None

        watch = await client.watch(b"ae/a")
        await client.put(b"ae/a", b"6")
        await client.delete(b"ae/a")
        kinds = []
        async for event in watch:
            kinds.append((event.kind, event.kv.value))
            if len(kinds) == 2:
                await watch.cancel()
                break
        assert kinds == [("PUT", b"6"), ("DELETE", b"")], kinds

        async with client.lock(b"ae/lock", ttl=20) as lock:
            assert await lock.is_acquired()

        status = await client.status()
        assert status.leader is not None, status
        await client.delete_prefix(b"ae/")
        assert [one.value for one in await client.get_prefix(b"ae/")] == []


asyncio.run(main())
