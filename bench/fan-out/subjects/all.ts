// Everything that the benchmark compares.
import { floorC, floorNode } from './floor.ts';
import { nginxRtmp } from './nginx-rtmp.ts';
import { nodeMediaServer } from './node-media-server.ts';
import type { Subject } from './subject.ts';
import { tideway } from './tideway.ts';

export const ALL_SUBJECTS: readonly Subject[] = [tideway, floorNode, floorC, nodeMediaServer, nginxRtmp];
