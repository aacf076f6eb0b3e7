import { describe, expect, it } from 'vitest';
import { readSmiXml } from './read-smi-xml.ts';
import { recorded } from './recorded.fixture.ts';

const of = (host: string) => readSmiXml(recorded(host, 'smi.xml'));
const first = (host: string, change: [string | RegExp, string]) =>
  readSmiXml(recorded(host, 'smi.xml').replace(...change)).gpus[0];

describe('readSmiXml', () => {
  it('reads what a host with NVLink has', () => {
    const log = of('h100-8-nvlink');
    expect(log).toMatchObject({ driverVersion: '570.124.06', cudaVersion: '12.8', attached: 8 });
    expect(log.gpus.map(({ pci_bus_id }) => pci_bus_id)).toEqual(
      ['1b', '43', '52', '61', '9d', 'c3', 'd1', 'df'].map((bus) => `0000:${bus}:00`),
    );
    expect(log.gpus[0]).toEqual({
      uuid: expect.stringMatching(/^GPU-[0-9a-f-]{36}$/),
      pci_bus_id: '0000:1b:00',
      name: 'NVIDIA H100 80GB HBM3',
      memory_total_mib: 81559,
      memory_used_mib: 1,
      mig: { enabled: false, pending: false, devices: [] },
      ecc: { enabled: true, corrected: 0, uncorrected: 0, uncorrected_ever: 0, sram_threshold_exceeded: false },
      row_remapping: { corrected: 0, uncorrected: 0, pending: false, failed: false },
      retired_pages_pending: null,
      recovery_action: 'None',
      resetRequired: false,
      processes: [],
      fault: null,
    });
  });

  it('lists processes with what is known of their memory', () => {
    expect(of('h100-8-nvlink').gpus[3]?.processes).toEqual([
      { pid: 41394, name: '/opt/conda/bin/python3.11', memory_mib: 30710 },
      { pid: 41782, name: '[Not Found]', memory_mib: null },
    ]);
  });

  it('takes from older drivers what they have: no recovery action, and here no MIG', () => {
    expect(of('a10-4-pcie').gpus[0]).toMatchObject({ recovery_action: null, mig: null, resetRequired: false });
    expect(first('a10-4-pcie', ['<reset_required>No<', '<reset_required>Yes<'])?.resetRequired).toBe(true);
  });

  it('reads the parts of a GPU in MIG mode', () => {
    const [split, whole] = of('a100-2-mig').gpus;
    expect(split?.mig?.devices).toMatchObject([
      { index: 0, gpu_instance: 1, compute_instance: 0, memory_total_mib: 40192, memory_used_mib: 24576 },
      { index: 1, gpu_instance: 5, memory_total_mib: 19968 },
      { index: 2, gpu_instance: 13, memory_total_mib: 9728 },
    ]);
    expect(split).toMatchObject({ row_remapping: null, mig: { enabled: true } });
    expect(whole?.mig).toEqual({ enabled: false, pending: false, devices: [] });
  });

  it('reads rows that wait, rows that failed, counters, and what stands in the place of values', () => {
    const { attached, gpus } = of('h100-5-broken');
    expect([attached, gpus.length]).toEqual([5, 4]);
    expect(gpus[1]).toMatchObject({
      recovery_action: 'Drain and Reset',
      ecc: { corrected: 12, uncorrected: 1, uncorrected_ever: 3 },
      row_remapping: { pending: true, failed: false },
    });
    expect(gpus[2]?.row_remapping).toEqual({ corrected: 2, uncorrected: 8, pending: false, failed: true });
    expect(gpus[3]).toMatchObject({ fault: 'GPU requires reset', memory_total_mib: null });
  });

  it('reads the double-bit errors and retired pages of older GPUs', () => {
    const volta = recorded('a10-4-pcie', 'smi.xml')
      .replace(/<volatile>[\s\S]*?<\/volatile>/, '<volatile><double_bit><total>2</total></double_bit></volatile>')
      .replace(/<pending_retirement>N\/A/, '<pending_retirement>Yes');
    expect(readSmiXml(volta).gpus[0]).toMatchObject({ ecc: { uncorrected: 2 }, retired_pages_pending: true });
  });

  it('does not give up a GPU for a sensor that fails', () => {
    expect(first('a10-4-pcie', ['<gpu_temp>31 C<', '<gpu_temp>ERR!<'])?.fault).toBeNull();
    expect(first('a10-4-pcie', ['<gpu_temp>31 C<', '<gpu_temp>GPU is lost<'])?.fault).toBe('GPU is lost');
  });

  it.each([
    ['GPU is lost', 'GPU'],
    ['/usr/bin/python3 train.py --key=not-to-be-seen', '/usr/bin/python3'],
    ['trainer\u001b[2J &lt;b&gt;', 'trainer'],
    ['[Insufficient Permissions]', '[Insufficient Permissions]'],
  ])('shows of a command line the program alone, and takes it for nothing else: %j', (command, name) => {
    const gpu = first('a10-4-pcie', [
      /<processes>\s*<\/processes>/,
      `<processes><process_info><pid>7</pid><process_name>${command}</process_name><used_memory>5 MiB</used_memory></process_info></processes>`,
    ]);
    expect(gpu?.fault).toBeNull();
    expect(gpu?.processes).toEqual([{ pid: 7, name, memory_mib: 5 }]);
  });

  it.each([
    ['', 'there is no <nvidia_smi_log> in the answer: it begins nothing'],
    ['Segmentation fault\n', 'there is no <nvidia_smi_log> in the answer: it begins "Segmentation fault"'],
    [recorded('a10-4-pcie', 'smi.xml').slice(0, 5000), /^the answer is cut off: it ends "/],
    [
      recorded('a10-4-pcie', 'smi.xml').replace(/<uuid>.*<\/uuid>/, ''),
      'GPU "00000000:17:00.0": its uuid is nothing, which is none',
    ],
    [recorded('a10-4-pcie', 'smi.xml').replace(/<uuid>.*<\/uuid>/, '<uuid>N/A</uuid>'), /its uuid is "N\/A"/],
    [recorded('a10-4-pcie', 'smi.xml').replaceAll(/<uuid>.*<\/uuid>/g, '<uuid>GPU-1</uuid>'), /the same UUID/],
  ])('says what is wrong with an answer (%#)', (text, message) => {
    expect(() => readSmiXml(text)).toThrow(message);
  });
});
