// How far this node is from other regions, by its own links: what it tells the cluster, so that nodes which never talked
// know about how far they are from each other. Pure.
import { MAX_RTT_REGIONS } from '../registry/records.ts';

/**
 * The median round trip of the links into each other region, ms. Of more regions than a record may tell, the nearest.
 * @param links with the regions of their peers, empty where that is not known
 */
export function regionRtts(
  region: string,
  links: readonly { readonly region: string; readonly rttMs: number }[],
): Record<string, number> {
  const byRegion = new Map<string, number[]>();
  for (const link of links) {
    if (link.region === '' || link.region === region) continue;
    const row = byRegion.get(link.region);
    if (row) row.push(link.rttMs);
    else byRegion.set(link.region, [link.rttMs]);
  }
  const medians = [...byRegion].map(([to, times]) => [to, medianOf(times)] as const);
  return Object.fromEntries(medians.sort((a, b) => a[1] - b[1]).slice(0, MAX_RTT_REGIONS));
}

/** To a tenth of a ms: a record has to be short. */
function medianOf(times: number[]): number {
  const sorted = times.sort((a, b) => a - b);
  return Math.round((sorted[Math.floor((sorted.length - 1) / 2)] ?? 0) * 10) / 10;
}
