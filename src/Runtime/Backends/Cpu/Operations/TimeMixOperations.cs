using System.Runtime.CompilerServices;
using Weft.Backends.Cpu.Simd;
using Weft.Graph;

namespace Weft.Backends.Cpu.Operations;

/// <summary><see cref="AverageNode"/>. Sums are kept divided by e^m, m being the largest exponent so far, so that no key overflows.</summary>
internal sealed unsafe class AverageOperation<TSimd, TVector>(ProgramContext context, AverageNode node, float* decay, float* bonus, float* k, float* v, float* y)
    : ChannelOperation(context, node.State, node.V.Width, 3)
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    // Below any exponent, and still a number when another is subtracted.
    private const float Lowest = -1e38f;

    protected override void Clear(float* state, int size)
    {
        base.Clear(state, size);
        new Span<float>(state + (size / 3 * 2), size / 3).Fill(Lowest);
    }

    protected override void RunChannels(int channel, int width, int first, int end, float* state)
    {
        for (var token = first; token < end; token++)
        {
            var offset = ((nint)token * Channels) + channel;
            var i = 0;
            for (; i + TSimd.Width <= width; i += TSimd.Width)
                Step<TSimd, TVector>(k + offset + i, v + offset + i, decay + channel + i, bonus + channel + i, state + i, width, y + offset + i);
            for (; i < width; i++)
                Step<SimdScalar, float>(k + offset + i, v + offset + i, decay + channel + i, bonus + channel + i, state + i, width, y + offset + i);
        }
    }

    [MethodImpl(Hot.Path)]
    private static void Step<TWide, TRegister>(float* k, float* v, float* decay, float* bonus, float* state, int stride, float* y)
        where TWide : struct, ISimd<TRegister>
        where TRegister : struct
    {
        var (key, value) = (TWide.Load(k), TWide.Load(v));
        var (a, b, m) = (TWide.Load(state), TWide.Load(state + stride), TWide.Load(state + (2 * stride)));
        var now = TWide.Add(key, TWide.Load(bonus));
        var most = TWide.Max(m, now);
        var (old, fresh) = (VectorMath<TWide, TRegister>.Exp(TWide.Subtract(m, most)), VectorMath<TWide, TRegister>.Exp(TWide.Subtract(now, most)));
        TWide.Store(y, TWide.Divide(TWide.MultiplyAdd(old, a, TWide.Multiply(fresh, value)), TWide.MultiplyAdd(old, b, fresh)));
        m = TWide.Add(m, TWide.Load(decay));
        most = TWide.Max(m, key);
        (old, fresh) = (VectorMath<TWide, TRegister>.Exp(TWide.Subtract(m, most)), VectorMath<TWide, TRegister>.Exp(TWide.Subtract(key, most)));
        TWide.Store(state, TWide.MultiplyAdd(old, a, TWide.Multiply(fresh, value)));
        TWide.Store(state + stride, TWide.MultiplyAdd(old, b, fresh));
        TWide.Store(state + (2 * stride), most);
    }
}

/// <summary>A state operation over heads, each with a square matrix of state.</summary>
internal abstract unsafe class HeadOperation(ProgramContext context, StateSlice slice, int width, int headSize) : StateOperation(context, slice, width / headSize)
{
    /// <summary>Working memory of a thread that these operations need.</summary>
    public static int ScratchFloats(int headSize) => 4 * headSize;

    protected sealed override (int First, int Size) Part(int block) => (block * headSize * headSize, headSize * headSize);
}

/// <summary><see cref="DecayNode"/>; a row of the matrix belongs to a channel of the key.</summary>
internal sealed unsafe class DecayOperation<TSimd, TVector>(
    ProgramContext context, DecayNode node, float* decay, float* d, float* bonus, float* r, float* k, float* v, float* y)
    : HeadOperation(context, node.State, node.V.Width, node.HeadSize)
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    [MethodImpl(Hot.Path)]
    protected override void RunTokens(int block, int first, int end, float* state, int thread)
    {
        var (size, channels, channel) = (node.HeadSize, node.V.Width, block * node.HeadSize);
        for (var token = first; token < end; token++)
        {
            var offset = ((nint)token * channels) + channel;
            var value = v + offset;
            var target = y + offset;
            new Span<float>(target, size).Clear();
            for (var i = 0; i < size; i++)
            {
                var w = decay == null ? MathF.Exp(-MathF.Exp(d[offset + i])) : MathF.Exp(decay[channel + i]);
                var (r1, k1, now) = (r[offset + i], k[offset + i], bonus[channel + i] * k[offset + i]);
                var row = state + (i * size);
                var (rv, kv, wv, nv) = (TSimd.Broadcast(r1), TSimd.Broadcast(k1), TSimd.Broadcast(w), TSimd.Broadcast(now));
                var j = 0;
                for (; j + TSimd.Width <= size; j += TSimd.Width)
                {
                    var (s, x) = (TSimd.Load(row + j), TSimd.Load(value + j));
                    TSimd.Store(target + j, TSimd.MultiplyAdd(rv, TSimd.MultiplyAdd(nv, x, s), TSimd.Load(target + j)));
                    TSimd.Store(row + j, TSimd.MultiplyAdd(wv, s, TSimd.Multiply(kv, x)));
                }

                for (; j < size; j++)
                {
                    target[j] += r1 * ((now * value[j]) + row[j]);
                    row[j] = (w * row[j]) + (k1 * value[j]);
                }
            }
        }
    }
}

/// <summary><see cref="DeltaRuleNode"/>; a row of the matrix belongs to a channel of the key.</summary>
internal sealed unsafe class DeltaRuleOperation<TSimd, TVector>(
    ProgramContext context, DeltaRuleNode node, float* keyScale, float* keyRate, float* r, float* d, float* k, float* v, float* a, float* y)
    : HeadOperation(context, node.State, node.V.Width, node.HeadSize)
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    // 1/√e: the most that the logarithm of a decay falls below zero.
    private const float MostDecay = 0.60653066f;

    [MethodImpl(Hot.Path)]
    protected override void RunTokens(int block, int first, int end, float* state, int thread)
    {
        var (size, channels, channel) = (node.HeadSize, node.V.Width, block * node.HeadSize);
        var unit = Context.Scratch(thread);
        var key = unit + size;
        var w = unit + (2 * size);
        var held = unit + (3 * size);
        for (var token = first; token < end; token++)
        {
            var offset = ((nint)token * channels) + channel;
            var value = v + offset;
            var target = y + offset;
            var squares = 0f;
            for (var i = 0; i < size; i++)
            {
                unit[i] = k[offset + i] * keyScale[channel + i];
                squares += unit[i] * unit[i];
                key[i] = k[offset + i] * (1 + ((a[offset + i] - 1) * keyRate[channel + i]));
                w[i] = MathF.Exp(-MostDecay / (1 + MathF.Exp(-d[offset + i])));
            }

            var length = MathF.Max(MathF.Sqrt(squares), 1e-12f);
            new Span<float>(held, size).Clear();
            for (var i = 0; i < size; i++)
            {
                unit[i] /= length;
                AddTo(held, unit[i], state + (i * size), size);
            }

            new Span<float>(target, size).Clear();
            for (var i = 0; i < size; i++)
            {
                var row = state + (i * size);
                var (decay, forget, learn) = (TSimd.Broadcast(w[i]), TSimd.Broadcast(-a[offset + i] * unit[i]), TSimd.Broadcast(key[i]));
                var j = 0;
                for (; j + TSimd.Width <= size; j += TSimd.Width)
                {
                    var s = TSimd.MultiplyAdd(forget, TSimd.Load(held + j), TSimd.Multiply(decay, TSimd.Load(row + j)));
                    TSimd.Store(row + j, TSimd.MultiplyAdd(learn, TSimd.Load(value + j), s));
                }

                for (; j < size; j++)
                    row[j] = (w[i] * row[j]) - (a[offset + i] * unit[i] * held[j]) + (key[i] * value[j]);
                AddTo(target, r[offset + i], row, size);
            }
        }
    }

    /// <summary>target += factor · row.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddTo(float* target, float factor, float* row, int size)
    {
        var f = TSimd.Broadcast(factor);
        var j = 0;
        for (; j + TSimd.Width <= size; j += TSimd.Width)
            TSimd.Store(target + j, TSimd.MultiplyAdd(f, TSimd.Load(row + j), TSimd.Load(target + j)));
        for (; j < size; j++)
            target[j] += factor * row[j];
    }
}

/// <summary><see cref="BonusNode"/>.</summary>
internal sealed unsafe class BonusOperation(
    ProgramContext context, BonusNode node, float* keyRate, float* bonus, float* r, float* k, float* v, float* a, float* gate, float* x, float* y)
    : RowOperation(context, Rows.Tokens)
{
    protected override void RunRow(int row, int thread)
    {
        var start = (nint)row * node.Y.Width;
        for (var channel = 0; channel < node.Y.Width; channel += node.HeadSize)
        {
            var offset = start + channel;
            var sum = 0f;
            for (var i = 0; i < node.HeadSize; i++)
                sum += r[offset + i] * k[offset + i] * (1 + ((a[offset + i] - 1) * keyRate[channel + i])) * bonus[channel + i];
            for (var i = 0; i < node.HeadSize; i++)
                y[offset + i] = gate[offset + i] * (x[offset + i] + (sum * v[offset + i]));
        }
    }
}
