// A control group with a limit of CPU, and what burns the CPU in it.
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CGROUP_MOUNT, ControlGroup, groupName, topOfV2, whyNone } from './control-group.ts';

const PERIOD_US = 100_000;

export class CpuLimitedGroup extends ControlGroup {
  readonly #burners = new Set<ChildProcess>();

  /**
   * @param cores what all its processes together get
   * @throws Error if none can be made here: see `whyNot`
   */
  constructor(cores: number) {
    super(cpuParents(), groupName(), (folder) => limitCpu(folder, cores));
  }

  /** Why no such group can be made here; undefined: it can. */
  static whyNot(): string | undefined {
    return whyNone('CPU-limited', () => new CpuLimitedGroup(1));
  }

  /** Another process in the group that takes all CPU it gets, until the answer is called. */
  burn(): () => Promise<void> {
    const burner = spawn(process.execPath, ['-e', 'for (;;);'], { stdio: 'ignore' });
    this.#burners.add(burner);
    const gone = new Promise<void>((resolve) => burner.once('close', () => resolve()));
    this.add(burner.pid ?? 0);
    return () => {
      this.#burners.delete(burner);
      burner.kill('SIGKILL');
      return gone;
    };
  }

  /** Ends what burns, too. */
  override async [Symbol.asyncDispose](): Promise<void> {
    for (const burner of this.#burners) burner.kill('SIGKILL');
    await super[Symbol.asyncDispose]();
  }
}

/** The tops of v1's cpu and cpuacct, which are often one; else that of v2, if it hands cpu down. */
function cpuParents(): string[] {
  const [cpu, cpuacct] = [join(CGROUP_MOUNT, 'cpu'), join(CGROUP_MOUNT, 'cpuacct')];
  if (existsSync(cpu)) return existsSync(join(cpu, 'cpuacct.usage')) ? [cpu] : [cpu, cpuacct];
  return [topOfV2('cpu')];
}

function limitCpu(folder: string, cores: number): void {
  const quota = Math.round(cores * PERIOD_US);
  if (existsSync(join(folder, 'cpu.max'))) writeFileSync(join(folder, 'cpu.max'), `${quota} ${PERIOD_US}`);
  if (!existsSync(join(folder, 'cpu.cfs_quota_us'))) return;
  writeFileSync(join(folder, 'cpu.cfs_period_us'), String(PERIOD_US));
  writeFileSync(join(folder, 'cpu.cfs_quota_us'), String(quota));
}
