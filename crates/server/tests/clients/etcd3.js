// Node's etcd3 against the server at the port that the first argument names. Exits with an error if anything is wrong.
'use strict';

const assert = require('assert');
const { Etcd3 } = require('etcd3');

async function main() {
  const client = new Etcd3({ hosts: `http://127.0.0.1:${process.argv[2]}` });

  await client.put('js/a').value('1');
  assert.strictEqual(await client.get('js/a').string(), '1');
  assert.strictEqual(await client.get('js/none').string(), null);
  await client.put('js/b').value('2');
  assert.deepStrictEqual(await client.getAll().prefix('js/').strings(), { 'js/a': '1', 'js/b': '2' });
  assert.deepStrictEqual(await client.getAll().prefix('js/').keys(), ['js/a', 'js/b']);
  assert.strictEqual(await client.getAll().prefix('js/').count(), 2);

  const done = await client
    .if('js/a', 'Value', '==', '1')
    .and('js/b', 'Version', '>', 0)
    .then(client.put('js/a').value('3'))
    .else(client.delete().key('js/a'))
    .commit();
  assert.strictEqual(done.succeeded, true);

  const lease = client.lease(60);
  await lease.put('js/leased').value('x');
  assert.strictEqual(await client.get('js/leased').string(), 'x');
  await lease.keepaliveOnce();
  await lease.revoke();
  assert.strictEqual(await client.get('js/leased').string(), null);

  const watcher = await client.watch().key('js/a').create();
  const put = new Promise((resolve) => watcher.once('put', resolve));
  const gone = new Promise((resolve) => watcher.once('delete', resolve));
  await client.put('js/a').value('4');
  await client.delete().key('js/a');
  assert.strictEqual((await put).value.toString(), '4');
  assert.strictEqual((await gone).key.toString(), 'js/a');
  await watcher.cancel();

  const alone = await client.lock('js/lock').do(async () => 'alone');
  assert.strictEqual(alone, 'alone');

  const election = client.election('js/election', 20);
  const campaign = election.campaign('me');
  await new Promise((resolve, reject) => {
    campaign.on('elected', resolve);
    campaign.on('error', reject);
  });
  assert.strictEqual(await election.leader(), 'me');
  await campaign.resign();

  await client.delete().prefix('js/');
  assert.strictEqual(await client.getAll().prefix('js/').count(), 0);
  client.close();
}

main().then(
  () => process.exit(0),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
