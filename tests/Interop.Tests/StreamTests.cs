using System.Runtime.InteropServices;
using Weft.Interop.Tests.Support;

namespace Weft.Interop.Tests;

/// <summary>Order of work: streams, events, capture; and that submitting it allocates nothing.</summary>
[TestFixture]
public sealed class StreamTests
{
    private const string Add = """
        #include "common/types.cuh"
        namespace weft {
        struct Params { int* y; int value; };
        template <int> __global__ void add(Params p) { p.y[threadIdx.x] = p.y[threadIdx.x] * 2 + p.value; }
        }
        """;

    [Test]
    public void Work_of_one_stream_is_done_in_order()
    {
        using var device = SimulatedDevice.Open();
        var kernel = device.Compile(Add, "weft::add<0>");
        var y = device.Upload(1);
        for (var i = 1; i <= 3; i++)
            Launch(kernel, device.Stream, y, i);
        device.Stream.Synchronize();
        Assert.That(SimulatedDevice.Download<int>(y, 1)[0], Is.EqualTo((((((1 * 2) + 1) * 2) + 2) * 2) + 3));
    }

    [Test]
    public void A_host_that_does_not_wait_sees_the_old_value()
    {
        using var device = SimulatedDevice.Open();
        var kernel = device.Compile(Add, "weft::add<0>");
        var y = device.Upload(1);
        Launch(kernel, device.Stream, y, 5);
        Assert.That(SimulatedDevice.Download<int>(y, 1)[0], Is.EqualTo(1));
        device.Stream.Synchronize();
        Assert.That(SimulatedDevice.Download<int>(y, 1)[0], Is.EqualTo(7));
    }

    [Test]
    public void A_stream_waits_for_an_event_of_another()
    {
        using var device = SimulatedDevice.Open();
        var kernel = device.Compile(Add, "weft::add<0>");
        var y = device.Upload(1);
        var other = device.Own(CudaStream.Create(device.Context));
        var signal = device.Own(CudaEvent.Create(device.Context));
        Launch(kernel, device.Stream, y, 1);
        signal.Record(device.Stream);
        other.WaitFor(signal);
        Launch(kernel, other, y, 10);
        other.Synchronize();
        Assert.That(SimulatedDevice.Download<int>(y, 1)[0], Is.EqualTo(16));
        Assert.That(signal.IsComplete);
    }

    [Test]
    public void A_captured_graph_replays_what_was_recorded()
    {
        using var device = SimulatedDevice.Open();
        var kernel = device.Compile(Add, "weft::add<0>");
        var y = device.Upload(1);
        device.Stream.BeginCapture();
        Launch(kernel, device.Stream, y, 1);
        Launch(kernel, device.Stream, y, 2);
        var graph = device.Own(device.Stream.EndCapture());
        Assert.That(SimulatedDevice.Download<int>(y, 1)[0], Is.EqualTo(1), "recording does nothing");
        Assert.That(graph.NodeCount, Is.EqualTo(2));
        var exec = device.Own(graph.Instantiate());
        exec.Launch(device.Stream);
        exec.Launch(device.Stream);
        device.Stream.Synchronize();
        Assert.That(SimulatedDevice.Download<int>(y, 1)[0], Is.EqualTo((((((((1 * 2) + 1) * 2) + 2) * 2) + 1) * 2) + 2));
    }

    [Test]
    public void Waiting_or_allocating_while_recording_spoils_the_recording([Values] bool allocates)
    {
        using var device = SimulatedDevice.Open();
        device.Stream.BeginCapture();
        var refused = Assert.Throws<CudaException>(() =>
        {
            if (allocates)
                device.Allocate<int>(1);
            else
                device.Stream.Synchronize();
        });
        Assert.That(refused.Status, Is.EqualTo(CudaResult.StreamCaptureUnsupported));
        Assert.That(() => device.Stream.EndCapture(), Throws.TypeOf<CudaException>().With.Property("Status").EqualTo(CudaResult.StreamCaptureInvalidated));
        Assert.That(SimulatedDevice.Download<int>(device.Upload(4), 1)[0], Is.EqualTo(4), "everything works again");
    }

    [Test]
    public void Submitting_work_allocates_nothing()
    {
        using var device = SimulatedDevice.Open();
        var kernel = device.Compile(Add, "weft::add<0>");
        var y = device.Upload(1);
        var pinned = device.Own(CudaPinnedMemory.Allocate(device.Context, 64));
        var signal = device.Own(CudaEvent.Create(device.Context));
        using var blas = new CudaBlas(device.Context);
        var matrix = device.Upload(new float[64]);
        var shape = new ProductShape(8, 8, 8, 8, 8, 8, MatrixType.Float32, MatrixType.Float32);
        device.Stream.BeginCapture();
        Launch(kernel, device.Stream, y, 1);
        var exec = device.Own(device.Own(device.Stream.EndCapture()).Instantiate());

        void Submit()
        {
            Launch(kernel, device.Stream, y, 1);
            exec.Launch(device.Stream);
            y.CopyToAsync(pinned.Address, 0, 4, device.Stream);
            blas.Multiply(device.Stream, shape, new(matrix.Address, matrix.Address, matrix.Address));
            signal.Record(device.Stream);
            signal.Synchronize();
            device.Stream.Synchronize();
        }

        for (var i = 0; i < 50; i++)
            Submit();
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 50; i++)
            Submit();
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero);
    }

    private static void Launch(CudaKernel kernel, CudaStream stream, CudaDeviceMemory y, int value) =>
        kernel.Launch(stream, new LaunchShape(1, 1, 1, 1, 0), new Params { Y = y.Address, Value = value });

    [StructLayout(LayoutKind.Sequential)]
    private struct Params
    {
        public nuint Y;
        public int Value;
    }
}
