// The hostile connections of the bench, in a process of their own: they would take its time from those who mean well.
//   node hostile-attackers.js RTMP_PORT HTTP_PORT COUNT
// Any message ends them; the answer is how many connections they opened.
import { attackFromHere } from '../test/support/hostile-crowd.ts';

const [rtmpPort = 0, httpPort = 0, count = 0] = process.argv.slice(2).map(Number);
const attackers = attackFromHere({ rtmpPort, httpPort }, count);
process.once('message', async () => {
  process.send?.(await attackers.stop());
  process.disconnect();
});
