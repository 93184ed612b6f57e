// Every case, in the order in which they run.
import type { BenchCase } from './case.ts';
import { churn } from './churn.ts';
import { fanOut } from './fan-out.ts';
import { ingest } from './ingest.ts';
import { join, storm } from './joining.ts';
import { mostPlayers } from './most-players.ts';
import { relay } from './relay.ts';
import { slow } from './slow.ts';

export const ALL_CASES: readonly BenchCase[] = [fanOut, mostPlayers, join, storm, ingest, relay, slow, churn];
