"""Writes the folders beside it: what nvidia-smi and the kernel log say on hosts that this project has no access to. See README.md."""

import pathlib
import uuid

HERE = pathlib.Path(__file__).parent
NONE = "N/A"
GONE = "Requested functionality has been deprecated"


def element(name, value, depth):
    pad = "\t" * depth
    if isinstance(value, list):
        inner = "".join(element(n, v, depth + 1) for n, v in value)
        return f"{pad}<{name}>\n{inner}{pad}</{name}>\n"
    if name == "mig_devices" and value == "None":
        return f"{pad}<{name}>\n{pad}\tNone\n{pad}</{name}>\n"
    return f"{pad}<{name}>{value}</{name}>\n"


def memory(total, used, reserved=None):
    rows = [("total", f"{total} MiB")]
    if reserved is not None:
        rows.append(("reserved", f"{reserved} MiB"))
    return rows + [("used", f"{used} MiB"), ("free", f"{total - used - (reserved or 0)} MiB")]


def mig_device(index, instance, total, used):
    return ("mig_device", [
        ("index", index), ("gpu_instance_id", instance), ("compute_instance_id", 0),
        ("device_attributes", [("shared", [
            ("multiprocessor_count", 42), ("copy_engine_count", 3), ("encoder_count", 0), ("decoder_count", 2),
            ("ofa_count", 0), ("jpg_count", 0)])]),
        ("ecc_error_count", [("volatile_count", [("sram_uncorrectable", 0)])]),
        ("fb_memory_usage", memory(total, used, 0)),
        ("bar1_memory_usage", memory(65535, 0)),
    ])


def process(pid, name, used, gi=NONE, ci=NONE):
    return ("process_info", [("gpu_instance_id", gi), ("compute_instance_id", ci), ("pid", pid), ("type", "C"),
                             ("process_name", name), ("used_memory", used)])


def counters(parity, corrected, uncorrected, threshold):
    rows = [("sram_correctable", 0)]
    rows += [("sram_uncorrectable_parity", 0), ("sram_uncorrectable_secded", 0)] if parity else [("sram_uncorrectable", 0)]
    rows += [("dram_correctable", corrected), ("dram_uncorrectable", uncorrected)]
    return rows + ([("sram_threshold_exceeded", threshold)] if threshold else [])


def gpu(g, new):
    """`new`: as R550 and later write it, with parity counters and a recovery action."""
    fault = g.get("fault")
    val = lambda text: fault or text
    rows = [
        ("product_name", g["name"]), ("product_brand", "NVIDIA"), ("product_architecture", g["architecture"]),
        ("display_mode", "Enabled"), ("display_active", "Disabled"), ("persistence_mode", "Enabled"),
        ("addressing_mode", "None"),
        ("mig_mode", [("current_mig", g["mig_mode"]), ("pending_mig", g["mig_mode"])]),
        ("mig_devices", g.get("mig_devices", "None")),
        ("accounting_mode", "Disabled"), ("accounting_mode_buffer_size", 4000),
        ("driver_model", [("current_dm", NONE), ("pending_dm", NONE)]),
        ("serial", g["serial"]), ("uuid", g["uuid"]), ("minor_number", g["minor"]),
        ("vbios_version", g["vbios"]), ("multigpu_board", "No"), ("board_id", f"0x{g['bus'].lower()}00"),
        ("gpu_module_id", g["minor"] + 1),
        ("inforom_version", [("img_version", "G520.0200.00.05"), ("oem_object", "2.1"), ("ecc_object", "7.16"), ("pwr_object", NONE)]),
        ("gpu_operation_mode", [("current_gom", NONE), ("pending_gom", NONE)]),
        ("gsp_firmware_version", g["driver"]),
        ("gpu_virtualization_mode", [("virtualization_mode", "None"), ("host_vgpu_mode", NONE)]),
        ("gpu_reset_status", [("reset_required", GONE if new else "No"), ("drain_and_reset_recommended", GONE if new else "No")]),
    ]
    if new:
        rows.append(("gpu_recovery_action", g.get("action", "None")))
    rows += [
        ("ibmnpu", [("relaxed_ordering_mode", NONE)]),
        ("pci", [
            ("pci_bus", g["bus"]), ("pci_device", "00"), ("pci_domain", "0000"), ("pci_device_id", g["device_id"]),
            ("pci_bus_id", f"00000000:{g['bus']}:00.0"), ("pci_sub_system_id", "16C110DE"),
            ("pci_gpu_link_info", [
                ("pcie_gen", [("max_link_gen", 5), ("current_link_gen", 5), ("device_current_link_gen", 5),
                              ("max_device_link_gen", 5), ("max_host_link_gen", 5)]),
                ("link_widths", [("max_link_width", "16x"), ("current_link_width", "16x")])]),
            ("replay_counter", 0), ("replay_rollover_counter", 0), ("tx_util", val("502 KB/s")), ("rx_util", val("553 KB/s")),
        ]),
        ("fan_speed", NONE), ("performance_state", val("P0")),
        ("clocks_event_reasons", [("clocks_event_reason_gpu_idle", "Active"), ("clocks_event_reason_hw_slowdown", "Not Active")]),
        ("fb_memory_usage", [(n, fault) for n in ("total", "reserved", "used", "free")] if fault else memory(g["total"], g["used"], g["reserved"])),
        ("bar1_memory_usage", memory(131072, 4)),
        ("cc_protected_memory_usage", memory(0, 0)),
        ("compute_mode", "Default"),
        ("utilization", [("gpu_util", val(NONE if g.get("mig_devices") else "0 %")), ("memory_util", val(NONE if g.get("mig_devices") else "0 %"))]),
        ("ecc_mode", [("current_ecc", "Enabled"), ("pending_ecc", "Enabled")]),
        ("ecc_errors", [
            ("volatile", counters(new, *g.get("volatile", (0, 0)), None)),
            ("aggregate", counters(new, *g.get("aggregate", (0, 0)), g.get("threshold", "No") if new else None)),
        ]),
        ("retired_pages", [
            ("multiple_single_bit_retirement", [("retired_count", NONE), ("retired_pagelist", NONE)]),
            ("double_bit_retirement", [("retired_count", NONE), ("retired_pagelist", NONE)]),
            ("pending_blacklist", NONE), ("pending_retirement", NONE)]),
        ("remapped_rows", NONE if g.get("mig_devices") else [
            ("remapped_row_corr", g.get("rows", (0, 0))[0]), ("remapped_row_unc", g.get("rows", (0, 0))[1]),
            ("remapped_row_pending", g.get("pending", "No")), ("remapped_row_failure", g.get("failure", "No")),
            ("row_remapper_histogram", [("row_remapper_histogram_max", "2560 bank(s)"), ("row_remapper_histogram_none", "0 bank(s)")])]),
        ("temperature", [("gpu_temp", val("31 C")), ("memory_temp", val("39 C"))]),
        ("gpu_power_readings", [("power_state", val("P0")), ("average_power_draw", val("70.21 W")), ("current_power_limit", val(g["power"]))]),
        ("clocks", [("graphics_clock", val("345 MHz")), ("sm_clock", val("345 MHz")), ("mem_clock", val("2619 MHz"))]),
        ("fabric", [("state", "Completed" if g["architecture"] == "Hopper" else NONE), ("status", "Success" if g["architecture"] == "Hopper" else NONE)]),
        ("supported_clocks", [("supported_mem_clock", [("value", "2619 MHz"), ("supported_graphics_clock", "1980 MHz"),
                                                       ("supported_graphics_clock", "1965 MHz")])]),
        ("processes", g.get("processes", [])),
        ("accounted_processes", []),
        ("capabilities", [("egm", "disabled")]),
    ]
    inner = "".join(element(n, v, 2) for n, v in rows)
    return f"\t<gpu id=\"00000000:{g['bus']}:00.0\">\n{inner}\t</gpu>\n\n"


def smi(gpus, driver, cuda, new, attached=None):
    head = "".join(element(n, v, 1) for n, v in [
        ("timestamp", "Mon Nov 16 09:12:44 2026"), ("driver_version", driver), ("cuda_version", cuda),
        ("attached_gpus", attached or len(gpus))])
    body = "".join(gpu({**g, "driver": driver}, new) for g in gpus)
    return ('<?xml version="1.0" ?>\n<!DOCTYPE nvidia_smi_log SYSTEM "nvsmi_device_v12.dtd">\n'
            f"<nvidia_smi_log>\n{head}{body}</nvidia_smi_log>\n")


LEGEND = """
Legend:

  X    = Self
  SYS  = Connection traversing PCIe as well as the SMP interconnect between NUMA nodes (e.g., QPI/UPI)
  NODE = Connection traversing PCIe as well as the interconnect between PCIe Host Bridges within a NUMA node
  PHB  = Connection traversing PCIe as well as a PCIe Host Bridge (typically the CPU)
  PXB  = Connection traversing multiple PCIe bridges (without traversing the PCIe Host Bridge)
  PIX  = Connection traversing at most a single PCIe bridge
  NV#  = Connection traversing a bonded set of # NVLinks
"""


def topo(gpus, link, near, nics=0, nic_link=None, underlined=True):
    """`link(i, j)` is a cell; `near(i)` the affinities. Columns are tabs that do not line up with the header's."""
    names = [f"GPU{i}" for i in gpus] + [f"NIC{i}" for i in range(nics)]
    head = "\t" + "\t".join(names) + "\tCPU Affinity\tNUMA Affinity\tGPU NUMA ID"
    lines = [f"\x1b[4m{head}\x1b[0m" if underlined else head]
    for i in gpus:
        cells = [" X " if i == j else link(i, j) for j in gpus] + [nic_link(i, n) for n in range(nics)]
        cpus, node = near(i)
        lines.append(f"GPU{i}\t" + "\t".join(cells) + f"\t{cpus}\t{node}\t\tN/A")
    for n in range(nics):
        cells = [nic_link(i, n) for i in gpus] + [" X " if n == m else ("PIX" if n // 2 == m // 2 else "NODE" if n // (nics // 2) == m // (nics // 2) else "SYS") for m in range(nics)]
        lines.append(f"NIC{n}\t" + "\t".join(cells) + "\t\t\t\t")
    legend = LEGEND if nics == 0 else LEGEND + "\nNIC Legend:\n\n" + "".join(f"  NIC{n}: mlx5_{n}\n" for n in range(nics))
    return "\n".join(lines) + "\n" + legend + "\n"


def made_up(host, i):
    return f"GPU-{uuid.uuid5(uuid.NAMESPACE_DNS, f'{host}-{i}.tandem.example')}"


def write(host, **files):
    folder = HERE / host
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("_", ".")).write_text(text)


def h100(host, i, bus, **more):
    return {"name": "NVIDIA H100 80GB HBM3", "architecture": "Hopper", "mig_mode": "Disabled", "serial": f"16500000000{i:02}",
            "uuid": made_up(host, i), "minor": i, "vbios": "96.00.74.00.1A", "bus": bus, "device_id": "233010DE",
            "total": 81559, "used": 1, "reserved": 527, "power": "700.00 W", **more}


def indices(gpus, capability):
    return "".join(f"{i}, {g['uuid']}, {capability}\n" for i, g in gpus)


def h100_nvlink():
    host = "h100-8-nvlink"
    buses = ["1B", "43", "52", "61", "9D", "C3", "D1", "DF"]
    gpus = [h100(host, i, bus) for i, bus in enumerate(buses)]
    gpus[3] |= {"used": 30722, "processes": [process(41394, "/opt/conda/bin/python3.11", "30710 MiB"),
                                             process(41782, "[Not Found]", "N/A")]}
    near = lambda i: ("0-51,104-155", "0") if i < 4 else ("52-103,156-207", "1")
    nic = lambda i, n: "PIX" if n == i else "NODE" if n // 4 == i // 4 else "SYS"
    write(host, smi_xml=smi(gpus, "570.124.06", "12.8", True),
          topo_txt=topo(range(8), lambda i, j: "NV18", near, 8, nic),
          index_csv=indices(enumerate(gpus), "9.0"))


def a10_pcie():
    host = "a10-4-pcie"
    gpus = [{"name": "NVIDIA A10", "architecture": "Ampere", "mig_mode": NONE, "serial": f"13250000000{i:02}",
             "uuid": made_up(host, i), "minor": i, "vbios": "94.02.75.00.01", "bus": bus, "device_id": "223610DE",
             "total": 23028, "used": 4, "reserved": 512, "power": "150.00 W"} for i, bus in enumerate(["17", "31", "B1", "CA"])]
    near = lambda i: ("0-31,64-95", "0") if i < 2 else ("32-63,96-127", "1")
    write(host, smi_xml=smi(gpus, "535.161.08", "12.2", False),
          topo_txt=topo(range(4), lambda i, j: "SYS" if i // 2 != j // 2 else "PXB" if i < 2 else "NODE", near, underlined=False),
          index_csv=indices(enumerate(gpus), "8.6"))


def a100_mig():
    host = "a100-2-mig"
    gpus = [{"name": "NVIDIA A100-SXM4-80GB", "architecture": "Ampere", "mig_mode": "Disabled", "serial": f"15601210000{i:02}",
             "uuid": made_up(host, i), "minor": 1 - i, "vbios": "92.00.36.00.02", "bus": bus, "device_id": "20B210DE",
             "total": 81920, "used": 4, "reserved": 869, "power": "400.00 W"} for i, bus in enumerate(["01", "41"])]
    gpus[0] |= {"mig_mode": "Enabled", "used": 24651,
                "mig_devices": [mig_device(0, 1, 40192, 24576), mig_device(1, 5, 19968, 25), mig_device(2, 13, 9728, 12)],
                "processes": [process(90211, "python3", "N/A", 1, 0), process(90211, "python3", "N/A", 5, 0)]}
    mig = lambda profile, n: f"  MIG {profile}     Device  {n}: (UUID: MIG-{uuid.uuid5(uuid.NAMESPACE_DNS, f'{host}-mig-{n}')})\n"
    listed = (f"GPU 0: {gpus[0]['name']} (UUID: {gpus[0]['uuid']})\n" + mig("3g.40gb", 0) + mig("2g.20gb", 1) + mig("1g.10gb", 2)
              + f"GPU 1: {gpus[1]['name']} (UUID: {gpus[1]['uuid']})\n")
    write(host, smi_xml=smi(gpus, "535.54.03", "12.2", False),
          topo_txt=topo(range(2), lambda i, j: "NV12", lambda i: ("0-63", "0-3")),
          index_csv=indices(enumerate(gpus), "8.0"), list_txt=listed)


def broken():
    host = "h100-5-broken"
    gpus = [
        h100(host, 0, "1B"),
        h100(host, 1, "43", action="Drain and Reset", volatile=(12, 1), aggregate=(40, 3), rows=(0, 1), pending="Yes"),
        h100(host, 2, "52", aggregate=(900, 71), rows=(2, 8), failure="Yes"),
        h100(host, 3, "61", action="Reset", fault="GPU requires reset"),
    ]
    lost = "Unable to determine the device handle for GPU4: 0000:9D:00.0: Unknown Error\n"
    write(host, smi_xml=lost + smi(gpus, "570.124.06", "12.8", True, attached=5),
          topo_txt=topo(range(4), lambda i, j: "NV18", lambda i: ("0-51,104-155", "0")),
          index_csv=lost + indices(enumerate(gpus), "9.0"),
          kmsg_txt="".join(f"{line}\n" for line in [
              "6,1203,9120331,-;nvidia-nvlink: Nvlink Core is being initialized, major device number 234",
              " SUBSYSTEM=pci",
              " DEVICE=+pci:0000:1b:00.0",
              "3,2210,86400112233,-;NVRM: Xid (PCI:0000:1b:00): 13, pid=3921, name=python3, Graphics SM Warp Exception on (GPC 0, TPC 0, SM 0): Out Of Range Address",
              "3,2214,90211445566,-;NVRM: Xid (PCI:0000:43:00): 63, pid='<unknown>', name=<unknown>, Row Remapper: New row (0x00000000000a3b2c) marked for remapping, reset gpu to activate.",
              "3,2215,90211445599,-;NVRM: Xid (PCI:0000:43:00): 94, pid=41394, name=python3, Ch 00000008, errorString CTX SWITCH TIMEOUT, Info 0x1c03a",
              "3,2216,90211447000,c;NVRM: Xid (PCI:0000:43:00): 94, pid=41394, name=python3, Ch 00000009",
              "3,2240,93600000000,-;NVRM: Xid (PCI:0000:52:00): 64, pid='<unknown>', name=<unknown>, Row Remapper: Failed to remap row",
              "3,2251,95400000000,-;NVRM: Xid (PCI:0000:61:00): 119, pid=52011, name=nvidia-smi, Timeout after 6s of waiting for RPC response from GPU3 GSP! Expected function 76 (GSP_RM_CONTROL).",
              "3,2260,97200000000,-;NVRM: Xid (PCI:0000:9d:00): 79, pid='<unknown>', name=<unknown>, GPU has fallen off the bus.",
              "6,2261,97200000100,-;usb 1-2: new high-speed USB device number 5 using xhci_hcd",
          ]))


def lost_alone():
    write("v100-lost", smi_xml="Unable to determine the device handle for GPU 0000:CB:00.0: GPU is lost.  Reboot the system to recover this GPU\n\n")


h100_nvlink()
a10_pcie()
a100_mig()
broken()
lost_alone()
