// A second encoder stands by at another node: it takes over when the first one falls silent, and gives the stream back. It does
// not when it is only its own node that can't hear the first one's.
import { expect, test } from 'vitest';
import { CheckedPlayer, playAll } from '../support/checked-player.ts';
import { Cluster } from '../support/cluster.ts';
import { hereAt, meshed } from '../support/cluster-view.ts';
import { FaultProxy } from '../support/fault-proxy.ts';
import { pass, sightOf } from '../support/fault-window.ts';
import { LoopWatch } from '../support/loop-watch.ts';
import { PLANS } from '../support/numbered-media.ts';
import { NumberedPublisher } from '../support/numbered-publisher.ts';
import { until } from '../support/until.ts';

const PLAN = PLANS['25 frames/s and audio'];
const KEY = 'live/backed';
const MAX_GAP_MS = 1_000;
/** The primary has to be well for 10 s; the rest is for a key frame and for a busy machine. */
const TAKEN_BACK_WITHIN_MS = 14_000;
/** A link that is silent is closed after 2 s. */
const CLOSED_WITHIN_MS = 5_000;
/** A backup that may take over, and has tried in vain, tries again within 1 s. */
const TRIES_AGAIN_MS = 1_500;
/** Both tests wait most of the time, so that they do it together. */
const TOGETHER = { concurrent: true, timeout: 90_000 };

test(
  'the primary falls silent, the backup takes over, and the primary takes it back after 10 s',
  TOGETHER,
  async () => {
    await using cluster = await Cluster.start({ ids: ['a', 'b', 'c'] });
    await meshed(cluster.nodes);
    const [a, b, c] = ['a', 'b', 'c'].map((id) => cluster.node(id));
    if (!a || !b || !c) throw new Error('a node is missing');
    using watch = new LoopWatch();
    await using wire = await FaultProxy.start({ targetPort: a.rtmpPort });
    using primary = await NumberedPublisher.start({ rtmpPort: wire.port }, { plan: PLAN, key: KEY });
    const backing = { plan: PLAN, key: KEY, firstSession: 1_001, query: '?role=backup' };
    using backup = await NumberedPublisher.start(b, backing);
    const players = (await Promise.all([a, b, c].map((node) => playAll(node, KEY)))).flat();
    const all = players.map((player) => ({ node: '', player }));
    await until('all play the primary', () => players.every(({ check }) => check.session === 1));
    expect((await hereAt(b, KEY))?.role).toBe('backup');

    const silent = await sightOf(
      [{ name: KEY, publisher: backup, players: all }],
      {
        beforeMs: 2_000,
        fault: async () => {
          wire.blackhole();
          await until('all play the backup', () => players.every(({ check }) => check.session === 1_001));
        },
        afterMs: 1_000,
      },
      watch,
    );
    for (const { gapMs, words, disconnected, splices } of silent.players) {
      expect(words).toEqual([]);
      expect({ disconnected, splices }).toEqual({ disconnected: undefined, splices: 1 });
      expect(gapMs).toBeLessThan(MAX_GAP_MS + silent.harnessStallMs);
    }
    expect([primary.isClosed, backup.isClosed]).toEqual([false, false]);

    const back = await sightOf(
      [{ name: KEY, publisher: primary, players: all }],
      {
        beforeMs: 0,
        fault: async () => {
          wire.heal();
          await pass(5_000);
          expect(players.filter(({ check }) => check.session === 1)).toEqual([]);
          await until(
            'all play the primary again',
            () => players.every(({ check }) => check.session === 1),
            TAKEN_BACK_WITHIN_MS - 5_000,
          );
        },
        afterMs: 1_000,
      },
      watch,
    );
    for (const { words, disconnected, splices, waitMs } of back.players) {
      expect(words).toEqual([]);
      expect({ disconnected, splices }).toEqual({ disconnected: undefined, splices: 2 });
      expect(waitMs).toBeLessThan(MAX_GAP_MS + back.harnessStallMs);
    }
    expect([primary.isClosed, backup.isClosed]).toEqual([false, false]);
    for (const player of players) player.leave();
  },
);

test(
  'a backup stands by while the link to a primary that lives is silent, and after it was closed for that',
  TOGETHER,
  async () => {
    await using cluster = await Cluster.start({ ids: ['a', 'b'] });
    await meshed(cluster.nodes);
    const [a, b] = [cluster.node('a'), cluster.node('b')];
    using primary = await NumberedPublisher.start(a, { plan: PLAN, key: KEY });
    const backing = { plan: PLAN, key: KEY, firstSession: 1_001, query: '?role=backup' };
    using backup = await NumberedPublisher.start(b, backing);
    using atPrimary = await CheckedPlayer.play(a, KEY, 'http-flv');
    using atBackup = await CheckedPlayer.play(b, KEY, 'http-flv');
    const players = [atPrimary, atBackup];
    await until('both play', () => players.every(({ check }) => check.frames > 30));

    cluster.isolate('b', 'swallow');
    await until(
      'the link is closed',
      () => b.events('mesh.link-closed').some(({ reason }) => reason === 'mesh.silent'),
      CLOSED_WITHIN_MS,
    );
    await pass(TRIES_AGAIN_MS);
    cluster.heal();
    const { lastId } = atPrimary.check;
    await until('the node of the backup has what it missed', () => atBackup.check.lastId >= lastId);
    for (const { check, ended } of players) {
      const { session, splices, words } = check;
      expect({ ended, session, splices, words }).toEqual({
        ended: undefined,
        session: 1,
        splices: 0,
        words: [],
      });
    }
    expect(await b.metric('tideway_standby_takeovers_total')).toBe(0);
    expect([(await hereAt(b, KEY))?.role, primary.isClosed, backup.isClosed]).toEqual([
      'backup',
      false,
      false,
    ]);
  },
);
