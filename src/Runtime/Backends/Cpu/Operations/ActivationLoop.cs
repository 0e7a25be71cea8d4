using System.Runtime.CompilerServices;
using Weft.Backends.Cpu.Simd;
using Weft.Models;

namespace Weft.Backends.Cpu.Operations;

/// <summary>The activation after a product, over a range of columns of its rows.</summary>
internal static unsafe class ActivationLoop<TSimd, TVector>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    /// <summary>y[t, i] = activation(y[t, i]) for i in [first, end), times y[t, up + i] where <paramref name="up"/> is not zero.</summary>
    public static void Run(Activation activation, float* y, nint stride, int rows, int first, int end, int up)
    {
        // One loop for each. With all of them in one, the compiler inlines none: they are calls, which pass registers through memory and
        // are not optimised before the first prompt is long done (2.3 times the time of the whole product then).
        switch (activation)
        {
            case Activation.Silu:
                Run<SiluFunction>(y, stride, rows, first, end, up);
                break;
            case Activation.Gelu:
                Run<GeluFunction>(y, stride, rows, first, end, up);
                break;
            case Activation.GeluTanh:
                Run<GeluTanhFunction>(y, stride, rows, first, end, up);
                break;
            case Activation.ReluSquared:
                Run<ReluSquaredFunction>(y, stride, rows, first, end, up);
                break;
            case Activation.QuickGelu:
                Run<QuickGeluFunction>(y, stride, rows, first, end, up);
                break;
            case Activation.Sigmoid:
                Run<SigmoidFunction>(y, stride, rows, first, end, up);
                break;
            case Activation.Tanh:
                Run<TanhFunction>(y, stride, rows, first, end, up);
                break;
            default:
                Run<ReluFunction>(y, stride, rows, first, end, up);
                break;
        }
    }

    [MethodImpl(Hot.Path)]
    private static void Run<TFunction>(float* y, nint stride, int rows, int first, int end, int up)
        where TFunction : struct, IActivationFunction
    {
        for (var row = 0; row < rows; row++, y += stride)
        {
            var i = first;
            for (; i + TSimd.Width <= end; i += TSimd.Width)
            {
                var value = TFunction.Apply<TSimd, TVector>(TSimd.Load(y + i));
                TSimd.Store(y + i, up == 0 ? value : TSimd.Multiply(value, TSimd.Load(y + up + i)));
            }

            for (; i < end; i++)
                y[i] = TFunction.Apply<SimdScalar, float>(y[i]) * (up == 0 ? 1 : y[up + i]);
        }
    }
}
