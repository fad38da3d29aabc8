"""The workloads in Python, on asyncio or uvloop (see mod.rs). Reads "WORKLOAD SCALE" lines, answers with figures.
A line that names a server goes on with how many connections and messages there will be, and its port is said first.

Fewer operations than in Rust, since each takes some twenty times as long. Figures are per operation all the same.
"""

import asyncio
import math
import resource
import sys
import time

clock = time.perf_counter_ns


def pick(scale, full, quick, smoke):
    return {"full": full, "quick": quick, "smoke": smoke}[scale]


def hours_away(number):
    return 3600 + (number * 0x9E3779B9 % 2**32) * 8e-6


def percentile(numbers, part):
    numbers.sort()
    return numbers[math.floor(part * (len(numbers) - 1))]


async def nothing():
    pass


async def spawn_join(scale):
    count = pick(scale, 2_000, 2_000, 10)
    begin = clock()
    tasks = [asyncio.create_task(nothing()) for _ in range(count)]
    for task in tasks:
        await task
    return [(clock() - begin) / count]


async def spawn_one(scale):
    count = pick(scale, 1_000, 1_000, 10)
    begin = clock()
    for _ in range(count):
        await asyncio.create_task(nothing())
    return [(clock() - begin) / count]


async def spawn_eager(scale):
    count = pick(scale, 1_000, 1_000, 10)
    loop = asyncio.get_running_loop()
    begin = clock()
    for _ in range(count):
        await asyncio.Task(nothing(), loop=loop, eager_start=True)
    return [(clock() - begin) / count]


async def give_way(times):
    for _ in range(times):
        await asyncio.sleep(0)


def yields(tasks):
    async def body(scale):
        count = pick(scale, 4_000, 4_000, 1_000)
        begin = clock()
        running = [asyncio.create_task(give_way(count // tasks)) for _ in range(tasks)]
        for task in running:
            await task
        return [(clock() - begin) / count]

    return body


class Slot:
    """Room for one message: the least that asyncio's futures make of it."""

    def __init__(self):
        self.message = None
        self.receiver = None

    def send(self, message):
        if self.receiver is not None:
            self.receiver.set_result(message)
            self.receiver = None
        else:
            self.message = message

    async def receive(self):
        if self.message is not None:
            message, self.message = self.message, None
            return message
        self.receiver = asyncio.get_running_loop().create_future()
        return await self.receiver


async def ping_pong(scale):
    count = pick(scale, 2_000, 2_000, 20)
    there, back = Slot(), Slot()

    async def answer():
        for _ in range(count // 2):
            back.send(await there.receive() + 1)

    task = asyncio.create_task(answer())
    begin = clock()
    for number in range(count // 2):
        there.send(number)
        await back.receive()
    took = clock() - begin
    await task
    return [took / count]


async def ring(scale):
    members, laps = pick(scale, 1_000, 1_000, 10), 3
    slots = [Slot() for _ in range(members)]

    async def pass_on(place):
        for _ in range(laps):
            slots[(place + 1) % members].send(await slots[place].receive() + 1)

    tasks = [asyncio.create_task(pass_on(place)) for place in range(members)]
    await asyncio.sleep(0)
    begin = clock()
    slots[0].send(0)
    for task in tasks:
        await task
    return [(clock() - begin) / (members * laps)]


async def group(scale):
    groups, children = pick(scale, 10, 10, 2), 100
    begin = clock()
    for _ in range(groups):
        async with asyncio.TaskGroup() as tg:
            for _ in range(children):
                tg.create_task(asyncio.sleep(0))
    return [(clock() - begin) / (groups * children)]


async def cancel(scale):
    count = pick(scale, 1_000, 1_000, 10)
    begin = clock()
    tasks = [asyncio.create_task(asyncio.sleep(hours_away(number))) for number in range(count)]
    await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    for task in tasks:
        try:
            await task
        except asyncio.CancelledError:
            pass
    return [(clock() - begin) / count]


async def timers_bulk(scale):
    count = pick(scale, 100_000, 20_000, 100)
    loop = asyncio.get_running_loop()
    begin = clock()
    handles = [loop.call_later(hours_away(number), nothing) for number in range(count)]
    for handle in handles:
        handle.cancel()
    del handles
    return [(clock() - begin) / count]


async def timers_single(scale):
    count = pick(scale, 2_000, 2_000, 100)
    loop = asyncio.get_running_loop()
    begin = clock()
    for number in range(count):
        loop.call_later(hours_away(number), nothing).cancel()
    return [(clock() - begin) / count]


async def timers_fire(scale):
    count = pick(scale, 20_000, 2_000, 100)
    span = 100e-6 * count
    late = []

    async def sleeper(number):
        asked = span / 4 + span * (number * 0x9E3779B9 % 2**32) / 2**32
        begin = clock()
        await asyncio.sleep(asked)
        late.append((clock() - begin) / 1e3 - asked * 1e6)

    before = time.process_time_ns()
    for task in [asyncio.create_task(sleeper(number)) for number in range(count)]:
        await task
    cpu = (time.process_time_ns() - before) / count
    return [cpu, max(0.0, percentile(late, 0.5)), max(0.0, percentile(late, 0.99))]


def sleeps(seconds):
    async def body(scale):
        late = []
        for _ in range(pick(scale, 200, 30, 2)):
            begin = clock()
            await asyncio.sleep(seconds)
            late.append((clock() - begin) / 1e3 - seconds * 1e6)
        return [max(0.0, percentile(late, 0.5))]

    return body


async def echo(scale, connections, messages):
    begin, end = 64 * connections, 64 * (connections + messages)
    answered, clocks, left = 0, {}, connections
    over = asyncio.Event()

    async def serve(reader, writer):
        nonlocal answered, left
        while data := await reader.read(1024):
            writer.write(data)
            await writer.drain()
            before, answered = answered, answered + len(data)
            for mark in begin, end:
                if before < mark <= answered:
                    clocks[mark] = time.process_time_ns()
        writer.close()
        left -= 1
        if left == 0:
            over.set()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await over.wait()
    server.close()
    await server.wait_closed()
    return [(clocks[end] - clocks[begin]) / messages / 1e3]


async def memory(scale):
    count = pick(scale, 100_000, 20_000, 100)

    def resident():
        with open("/proc/self/statm") as statm:
            return int(statm.read().split()[1]) * resource.getpagesize()

    async def idle():
        await asyncio.get_running_loop().create_future()

    before = resident()
    tasks = [asyncio.create_task(idle()) for _ in range(count)]
    await asyncio.sleep(0)
    grown = resident() - before
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return [grown / count]


def start_up(scale):
    count = pick(scale, 20, 20, 2)
    begin = clock()
    for _ in range(count):
        with asyncio.Runner(loop_factory=new_loop) as fresh:
            fresh.run(nothing())
    return [(clock() - begin) / count]


WORKLOADS = {
    "spawn-join": spawn_join,
    "spawn-one-task": spawn_one,
    "yield-own-1": yields(1),
    "yield-own-1000": yields(1_000),
    "ping-pong": ping_pong,
    "ring-1000": ring,
    "group-100": group,
    "cancel-sleepers": cancel,
    "timers-bulk": timers_bulk,
    "timers-single": timers_single,
    "timers-fire": timers_fire,
    "sleep-1ms": sleeps(1e-3),
    "sleep-100us": sleeps(1e-4),
    "echo-1": echo,
    "echo-50": echo,
    "echo-1000": echo,
    "memory": memory,
    "start-up": start_up,
}
if sys.version_info >= (3, 14):
    WORKLOADS["spawn-eager"] = spawn_eager

if sys.argv[1] == "uvloop":
    import uvloop

    new_loop, version = uvloop.new_event_loop, f"uvloop {uvloop.__version__}"
else:
    new_loop, version = asyncio.new_event_loop, "asyncio"
print(f"{version}, CPython {sys.version.split()[0]};" + " ".join(WORKLOADS), flush=True)

with asyncio.Runner(loop_factory=new_loop) as runner:
    for line in sys.stdin:
        name, scale, *numbers = line.split()
        workload = WORKLOADS[name]
        figures = start_up(scale) if workload is start_up else runner.run(workload(scale, *map(int, numbers)))
        print(*figures, flush=True)
