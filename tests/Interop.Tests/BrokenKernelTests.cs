using System.Runtime.InteropServices;
using Weft.Interop.Tests.Support;

namespace Weft.Interop.Tests;

/// <summary>
/// The software device must catch what goes wrong on hardware: each kernel here is right but for one deliberate mistake. A test that the
/// right kernel passes and the wrong one does not.
/// </summary>
[TestFixture]
public sealed class BrokenKernelTests
{
    private const int Threads = 128;

    [Test]
    public void A_missing_barrier_changes_the_result()
    {
        // Every thread reads what a thread of another warp wrote.
        const string Source = """
            #include "common/types.cuh"
            namespace weft {
            struct Params { int* y; };
            template <bool Waits> __global__ void turn(Params p) {
              int* shared = reinterpret_cast<int*>(ptx::dynamic_shared());
              shared[threadIdx.x] = threadIdx.x;
              if (Waits) __syncthreads();
              p.y[threadIdx.x] = shared[127 - threadIdx.x];
            }
            }
            """;
        var expected = Enumerable.Range(0, Threads).Select(i => 127 - i).ToArray();
        Assert.That(Run(Source, "weft::turn<true>", 1), Is.EqualTo(expected));
        Assert.That(Run(Source, "weft::turn<true>", 2), Is.EqualTo(expected));
        Assert.That(Run(Source, "weft::turn<false>", 1), Is.Not.EqualTo(expected));
    }

    [Test]
    public void A_missing_warp_barrier_changes_the_result()
    {
        const string Source = """
            #include "common/types.cuh"
            namespace weft {
            struct Params { int* y; };
            template <bool Waits> __global__ void turn(Params p) {
              int* shared = reinterpret_cast<int*>(ptx::dynamic_shared());
              shared[threadIdx.x] = threadIdx.x;
              if (Waits) __syncwarp();
              p.y[threadIdx.x] = shared[threadIdx.x ^ 31];
            }
            }
            """;
        var expected = Enumerable.Range(0, Threads).Select(i => i ^ 31).ToArray();
        Assert.That(Run(Source, "weft::turn<true>", 1), Is.EqualTo(expected));
        Assert.That(Run(Source, "weft::turn<false>", 1), Is.Not.EqualTo(expected));
    }

    [TestCase("i", false)]
    [TestCase("i + 1", true)]
    [TestCase("i - 1", true)]
    public void A_row_too_far_is_reported(string index, bool fails)
    {
        var source = $$"""
            #include "common/types.cuh"
            namespace weft {
            struct Params { int* y; };
            template <int> __global__ void write(Params p) {
              const int row = blockIdx.x;
              const int i = row * 1024;
              p.y[({{index}}) / 1 * 1 + static_cast<int>(threadIdx.x) * 8 + ({{index}} - i) * 1024] = row;
            }
            }
            """;
        using var device = SimulatedDevice.Open();
        var y = device.Allocate<int>(4 * 1024);
        var kernel = device.Compile(source, "weft::write<0>");
        void Act() => device.Run(kernel, new LaunchShape(4, 1, 1, Threads, 0), new Params { Y = y.Address });
        if (!fails)
        {
            Assert.That(Act, Throws.Nothing);
            return;
        }

        var exception = Assert.Throws<CudaException>(Act);
        Assert.That(exception.Status, Is.EqualTo(CudaResult.IllegalAddress));
        Assert.That(exception.IsContextLost);
        Assert.That(exception.Message, Does.Contain("weft::write<0>").And.Contain("writes").And.Contain("an allocation of 16384 bytes").And.Contain("thread").And.Contain("test.cu:7"));
    }

    [Test]
    public void Memory_that_was_freed_is_reported()
    {
        using var device = SimulatedDevice.Open();
        var y = device.Allocate<int>(Threads);
        var kernel = device.Compile(Write, "weft::write<0>");
        var address = y.Address;
        y.Dispose();
        var exception = Assert.Throws<CudaException>(() => device.Run(kernel, new LaunchShape(1, 1, 1, Threads, 0), new Params { Y = address }));
        Assert.That(exception.Message, Does.Contain("a freed allocation of 512 bytes"));
    }

    [Test]
    public void What_nobody_wrote_is_not_a_number()
    {
        const string Source = """
            #include "common/types.cuh"
            namespace weft {
            struct Params { float* y; };
            template <int Shared> __global__ void sum(Params p) {
              const float* shared = reinterpret_cast<const float*>(ptx::dynamic_shared());
              p.y[threadIdx.x] = (Shared ? shared[threadIdx.x] : p.y[threadIdx.x]) + 1.0f;
            }
            }
            """;
        using var device = SimulatedDevice.Open();
        foreach (var expression in (string[])["weft::sum<0>", "weft::sum<1>"])
        {
            var y = device.Allocate<float>(Threads);
            device.Run(device.Compile(Source, expression), new LaunchShape(1, 1, 1, Threads, Threads * sizeof(float)), new Params { Y = y.Address });
            Assert.That(SimulatedDevice.Download<float>(y, Threads), Has.All.NaN, expression);
        }
    }

    [Test]
    public void A_wrong_fragment_gives_a_wrong_product()
    {
        // d = a · b with a [16, 16] and b [16, 8] ones and threes at places that a swap of fragments confuses.
        const string Source = """
            #include "common/types.cuh"
            namespace weft {
            struct Params { float* y; };
            __device__ inline float value_a(int row, int k) { return row * 0.125f + k; }
            __device__ inline float value_b(int k, int n) { return (k % 3) - n * 0.5f; }
            template <bool Swapped> __global__ void product(Params p) {
              const int group = threadIdx.x / 4, pair = threadIdx.x % 4 * 2;
              unsigned a[4];
              for (int i = 0; i < 4; ++i) {
                const int row = group + (Swapped ? i / 2 : i % 2) * 8, k = pair + (Swapped ? i % 2 : i / 2) * 8;
                a[i] = pack2<f16>(value_a(row, k), value_a(row, k + 1));
              }
              float d[4] = {};
              ptx::mma_m16n8k16<f16>(d, a, pack2<f16>(value_b(pair, group), value_b(pair + 1, group)), pack2<f16>(value_b(pair + 8, group), value_b(pair + 9, group)));
              for (int i = 0; i < 4; ++i) p.y[(group + i / 2 * 8) * 8 + pair + i % 2] = d[i];
            }
            }
            """;
        var expected = new float[Threads];
        for (var row = 0; row < 16; row++)
        {
            for (var n = 0; n < 8; n++)
                expected[(row * 8) + n] = Enumerable.Range(0, 16).Sum(k => ((row * 0.125f) + k) * ((k % 3) - (n * 0.5f)));
        }

        float[] Product(string expression)
        {
            using var device = SimulatedDevice.Open();
            var y = device.Allocate<float>(Threads);
            device.Run(device.Compile(Source, expression), new LaunchShape(1, 1, 1, 32, 0), new Params { Y = y.Address });
            return SimulatedDevice.Download<float>(y, Threads);
        }

        Assert.That(Product("weft::product<false>"), Is.EqualTo(expected).Within(1e-3f));
        Assert.That(Product("weft::product<true>"), Is.Not.EqualTo(expected).Within(1e-3f));
    }

    [TestCase("true", true)]
    [TestCase("false", false)]
    public void An_asynchronous_copy_is_there_only_after_waiting(string waits, bool arrives)
    {
        var source = $$"""
            #include "common/types.cuh"
            namespace weft {
            struct Params { int* y; const int* x; };
            template <int> __global__ void copy(Params p) {
              int* shared = reinterpret_cast<int*>(ptx::dynamic_shared());
              ptx::cp_async_16(shared + threadIdx.x * 4, p.x + threadIdx.x * 4, true);
              ptx::cp_async_commit();
              if ({{waits}}) ptx::cp_async_wait<0>();
              for (int i = 0; i < 4; ++i) p.y[threadIdx.x * 4 + i] = shared[threadIdx.x * 4 + i];
            }
            }
            """;
        using var device = SimulatedDevice.Open();
        var values = Enumerable.Range(0, 128).ToArray();
        var x = device.Upload(values);
        var y = device.Allocate<int>(128);
        device.Run(device.Compile(source, "weft::copy<0>"), new LaunchShape(1, 1, 1, 32, 512), new CopyParams { Y = y.Address, X = x.Address });
        Assert.That(SimulatedDevice.Download<int>(y, 128), arrives ? Is.EqualTo(values) : Has.All.EqualTo(-1));
    }

    [Test]
    public void A_barrier_that_not_all_reach_is_reported_with_its_lines()
    {
        const string Source = """
            #include "common/types.cuh"
            namespace weft {
            struct Params { int* y; };
            template <int> __global__ void wait(Params p) {
              if (threadIdx.x < 64) {
                __syncthreads();
              } else {
                p.y[0] = __shfl_sync(kFullMask, 1, 0);
                __syncthreads();
              }
            }
            }
            """;
        using var device = SimulatedDevice.Open();
        var y = device.Allocate<int>(1);
        var kernel = device.Compile(Source, "weft::wait<0>");
        var exception = Assert.Throws<CudaException>(() => device.Run(kernel, new LaunchShape(1, 1, 1, Threads, 0), new Params { Y = y.Address }));
        Assert.That(exception.Status, Is.EqualTo(CudaResult.LaunchFailed));
        Assert.That(exception.Message, Does.Contain("deadlock in block (0, 0, 0)").And.Contain("at line 6").And.Contain("at line 9"));
    }

    [Test]
    public void A_shuffle_that_half_the_warp_misses_is_reported()
    {
        const string Source = """
            #include "common/types.cuh"
            namespace weft {
            struct Params { int* y; };
            template <int> __global__ void half(Params p) {
              if (threadIdx.x % 32 < 16) p.y[0] = __shfl_sync(kFullMask, 1, 0);
            }
            }
            """;
        using var device = SimulatedDevice.Open();
        var y = device.Allocate<int>(1);
        var kernel = device.Compile(Source, "weft::half<0>");
        var exception = Assert.Throws<CudaException>(() => device.Run(kernel, new LaunchShape(1, 1, 1, 32, 0), new Params { Y = y.Address }));
        Assert.That(exception.Message, Does.Contain("waits for its warp at line 5").And.Contain("has ended"));
    }

    [Test]
    public void An_address_that_is_not_aligned_is_reported()
    {
        const string Source = """
            #include "common/types.cuh"
            namespace weft {
            struct Params { int* y; };
            template <int> __global__ void load(Params p) { p.y[0] = ptx::load_streaming(p.y + 1).x; }
            }
            """;
        using var device = SimulatedDevice.Open();
        var y = device.Allocate<int>(64);
        var kernel = device.Compile(Source, "weft::load<0>");
        var exception = Assert.Throws<CudaException>(() => device.Run(kernel, new LaunchShape(1, 1, 1, 1, 0), new Params { Y = y.Address }));
        Assert.That(exception.Status, Is.EqualTo(CudaResult.MisalignedAddress));
    }

    [Test]
    public void A_lost_context_stays_lost_until_it_is_given_back()
    {
        using (var device = SimulatedDevice.Open())
        {
            var kernel = device.Compile(Write, "weft::write<0>");
            Assert.Throws<CudaException>(() => device.Run(kernel, new LaunchShape(1, 1, 1, Threads, 0), new Params { Y = 64 }));
            var again = Assert.Throws<CudaException>(() => device.Allocate<int>(1));
            Assert.That(again.Status, Is.EqualTo(CudaResult.IllegalAddress));
        }

        Assert.That(Run(Write, "weft::write<0>", 1), Is.EqualTo(Enumerable.Range(0, Threads)));
    }

    private const string Write = """
        #include "common/types.cuh"
        namespace weft {
        struct Params { int* y; };
        template <int> __global__ void write(Params p) { p.y[threadIdx.x] = threadIdx.x; }
        }
        """;

    private static int[] Run(string source, string expression, ulong seed)
    {
        using var device = SimulatedDevice.Open(seed);
        var y = device.Allocate<int>(Threads);
        device.Run(device.Compile(source, expression), new LaunchShape(1, 1, 1, Threads, Threads * sizeof(int)), new Params { Y = y.Address });
        return SimulatedDevice.Download<int>(y, Threads);
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct Params
    {
        public nuint Y;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct CopyParams
    {
        public nuint Y;
        public nuint X;
    }
}
