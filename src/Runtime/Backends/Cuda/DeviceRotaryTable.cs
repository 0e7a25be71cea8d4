using Weft.Interop;
using Weft.Models;
using Weft.Scheduling;

namespace Weft.Backends.Cuda;

/// <summary>
/// (cos, sin) [positions, R/2] on the device, filled as far as positions have been reached. Where the base depends on a sequence's length they are those of
/// the step's tokens instead, [tokens, R/2]. Where products decay, a row has those of queries and then those of keys, each with its factors: [positions, 2, R/2].
/// </summary>
internal sealed class DeviceRotaryTable : IDisposable
{
    private const int Chunk = 2048;

    private readonly RotaryDescription rotary;
    private readonly int headSize;
    private readonly CudaDeviceMemory memory;
    private readonly CudaPinnedMemory staging;
    private readonly CudaEvent copied;
    private readonly CudaStream stream;
    private readonly int half;
    private readonly int width; // pairs of a row
    private readonly int positions;
    private RotaryFrequencies frequencies;
    private int length; // of the frequencies
    private int filled;

    public DeviceRotaryTable(CudaContext context, CudaStream stream, RotaryDescription rotary, int headSize, int positions, int tokens)
    {
        this.rotary = rotary;
        this.headSize = headSize;
        this.stream = stream;
        // A span that begins with the sequence is one ahead of its places.
        this.positions = positions + 1;
        IsOfStep = RotaryLength.Counts(rotary);
        frequencies = RotaryFrequencies.Compute(rotary, headSize);
        half = frequencies.Inverse.Count;
        width = (rotary.Decay is null ? 1 : 2) * half;
        memory = CudaDeviceMemory.Allocate(context, (IsOfStep ? tokens : this.positions) * RowBytes);
        // Rows that a padded step reads and nobody needs.
        memory.FillAsync(0, stream);
        staging = CudaPinnedMemory.Allocate(context, Chunk * RowBytes);
        copied = CudaEvent.Create(context);
    }

    public nuint Address => memory.Address;

    /// <summary>A row belongs to a token of the step, not to a position.</summary>
    public bool IsOfStep { get; }

    /// <summary>From the angles of queries in a row to those of keys.</summary>
    public int KeyOffset => width - half;

    private long RowBytes => 2L * width * sizeof(float);

    /// <summary>Makes the rows of a step valid, before it is submitted.</summary>
    public void Prepare(StepBatch batch)
    {
        if (IsOfStep)
        {
            for (var first = 0; first < batch.TokenCount; first += Chunk)
                Fill(batch, first, Math.Min(Chunk, batch.TokenCount - first));
            return;
        }

        var last = 0;
        for (var sequence = 0; sequence < batch.SequenceCount; sequence++)
            last = Math.Max(last, batch.Positions[batch.SequenceStarts[sequence + 1] - 1]);
        for (; filled <= last + 1; filled += Math.Min(Chunk, positions - filled))
            Fill(filled, Math.Min(Chunk, positions - filled), row => filled + row);
    }

    public void Dispose()
    {
        copied.Dispose();
        staging.Dispose();
        memory.Dispose();
    }

    private void Fill(StepBatch batch, int first, int count)
    {
        var sequence = 0;
        Fill(first, count, row =>
        {
            var token = first + row;
            while (batch.SequenceStarts[sequence + 1] <= token)
                sequence++;
            var now = RotaryLength.At(rotary, batch.PromptLengths[sequence], batch.Positions[token]);
            if (now != length)
                (length, frequencies) = (now, RotaryFrequencies.Compute(rotary, headSize, now));
            return batch.Positions[token];
        });
    }

    /// <summary>Writes rows; <paramref name="position"/> gives each one's and chooses its frequencies.</summary>
    private void Fill(int first, int count, Func<int, int> position)
    {
        // The copy before this one may still read the buffer.
        copied.Synchronize();
        var rows = staging.AsSpan<float>(0, count * 2 * width);
        for (var row = 0; row < count; row++)
        {
            var at = position(row);
            for (var i = 0; i < half; i++)
            {
                var (sin, cos) = Math.SinCos(at * frequencies.Inverse[i]);
                var turn = rows.Slice(((row * width) + i) * 2, 2);
                (turn[0], turn[1]) = ((float)cos * frequencies.Magnitude, (float)sin * frequencies.Magnitude);
                if (rotary.Decay is not { } decay)
                    continue;
                var factor = (float)decay.Factor(i, half, at);
                var keyTurn = rows.Slice(((row * width) + half + i) * 2, 2);
                (keyTurn[0], keyTurn[1]) = (turn[0] / factor, turn[1] / factor);
                (turn[0], turn[1]) = (turn[0] * factor, turn[1] * factor);
            }
        }

        memory.CopyFromAsync(staging.Address, first * RowBytes, count * RowBytes, stream);
        copied.Record(stream);
    }
}
