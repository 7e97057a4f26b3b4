// Go's clientv3 against the server at the port that the first argument names: keys, transactions, leases, watches, locks,
// elections and a mirror. Exits with an error if anything is wrong.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/concurrency"
	"go.etcd.io/etcd/client/v3/mirror"
)

func must(err error) {
	if err != nil {
		log.Panic(err)
	}
}

func expect(holds bool, what string, values ...any) {
	if !holds {
		log.Panic(what, values)
	}
}

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	client, err := clientv3.New(clientv3.Config{
		Endpoints:   []string{fmt.Sprintf("http://127.0.0.1:%s", os.Args[1])},
		DialTimeout: 10 * time.Second,
	})
	must(err)
	defer client.Close()
	keys(ctx, client)
	watches(ctx, client)
	locks(ctx, client)
	elections(ctx, client)
	mirrors(ctx, client)
}

func keys(ctx context.Context, client *clientv3.Client) {
	for i := 0; i < 20; i++ {
		_, err := client.Put(ctx, fmt.Sprintf("go/%02d", i), fmt.Sprint(i))
		must(err)
	}
	got, err := client.Get(ctx, "go/", clientv3.WithPrefix(), clientv3.WithLimit(5),
		clientv3.WithSort(clientv3.SortByKey, clientv3.SortDescend))
	must(err)
	expect(len(got.Kvs) == 5 && got.Count == 20 && got.More && string(got.Kvs[0].Key) == "go/19", "a range", got)
	txn, err := client.Txn(ctx).If(clientv3.Compare(clientv3.Value("go/00"), "=", "0")).
		Then(clientv3.OpPut("go/00", "x"), clientv3.OpGet("go/01")).Else(clientv3.OpDelete("go/00")).Commit()
	must(err)
	expect(txn.Succeeded && len(txn.Responses) == 2, "a transaction", txn)
	lease, err := client.Grant(ctx, 60)
	must(err)
	_, err = client.Put(ctx, "go/leased", "x", clientv3.WithLease(lease.ID))
	must(err)
	alive, err := client.KeepAliveOnce(ctx, lease.ID)
	must(err)
	expect(alive.TTL == 60, "a renewal", alive)
	_, err = client.Revoke(ctx, lease.ID)
	must(err)
	got, err = client.Get(ctx, "go/leased")
	must(err)
	expect(len(got.Kvs) == 0, "the key of a lease that is gone", got)
}

func watches(ctx context.Context, client *clientv3.Client) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	changes := client.Watch(clientv3.WithRequireLeader(ctx), "go/", clientv3.WithPrefix(), clientv3.WithPrevKV(),
		clientv3.WithRev(2))
	seen := 0
	for response := range changes {
		must(response.Err())
		seen += len(response.Events)
		if seen >= 23 {
			break
		}
	}
	// Twenty puts, the transaction's, the put with a lease, and its end.
	expect(seen == 23, "changes", seen)
}

func locks(ctx context.Context, client *clientv3.Client) {
	one, err := concurrency.NewSession(client, concurrency.WithTTL(20))
	must(err)
	defer one.Close()
	other, err := concurrency.NewSession(client, concurrency.WithTTL(20))
	must(err)
	defer other.Close()
	mine, theirs := concurrency.NewMutex(one, "go-lock"), concurrency.NewMutex(other, "go-lock")
	must(mine.Lock(ctx))
	expect(theirs.TryLock(ctx) == concurrency.ErrLocked, "a lock that somebody has was given")
	must(mine.Unlock(ctx))
	must(theirs.Lock(ctx))
	must(theirs.Unlock(ctx))
	_, err = concurrency.NewSTM(client, func(stm concurrency.STM) error {
		stm.Put("go/stm", stm.Get("go/01")+"!")
		return nil
	})
	must(err)
	got, err := client.Get(ctx, "go/stm")
	must(err)
	expect(string(got.Kvs[0].Value) == "1!", "software transactional memory", got)
}

func elections(ctx context.Context, client *clientv3.Client) {
	session, err := concurrency.NewSession(client, concurrency.WithTTL(20))
	must(err)
	defer session.Close()
	election := concurrency.NewElection(session, "go-election")
	must(election.Campaign(ctx, "first"))
	must(election.Proclaim(ctx, "second"))
	leader, err := election.Leader(ctx)
	must(err)
	expect(string(leader.Kvs[0].Value) == "second", "a leader", leader)
	must(election.Resign(ctx))
}

func mirrors(ctx context.Context, client *clientv3.Client) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	syncer := mirror.NewSyncer(client, "go/", 0)
	pages, failures := syncer.SyncBase(ctx)
	count := 0
	for page := range pages {
		count += len(page.Kvs)
	}
	must(<-failures)
	expect(count == 21, "the keys of a mirror", count)
	updates := syncer.SyncUpdates(ctx)
	_, err := client.Put(ctx, "go/new", "1")
	must(err)
	update := <-updates
	must(update.Err())
	expect(string(update.Events[0].Kv.Key) == "go/new", "an update of a mirror", update)
}
