using System.Runtime.CompilerServices;
using Weft.Models;
using Weft.Scheduling;

namespace Weft.Backends.Cpu;

/// <summary>
/// Cosines and sines [position][R/2 cosines, R/2 sines], filled as far as positions have been reached. Where the base depends on a sequence's length they
/// are those of the step's tokens instead, [token][…]. Where products decay, a row has those of queries and then those of keys, each with its factors.
/// </summary>
internal sealed unsafe class RotaryTable : IDisposable
{
    private readonly NativeBuffer buffer;
    private readonly int half;
    private readonly int width; // of a row
    private readonly bool isOfStep;
    private RotaryFrequencies frequencies;
    private int length; // of the frequencies
    private int filled;
    private long step;

    /// <param name="rotary">Base and scaling.</param>
    /// <param name="headSize">D.</param>
    /// <param name="positions">Longest sequence.</param>
    /// <param name="tokens">Largest N.</param>
    public RotaryTable(RotaryDescription rotary, int headSize, int positions, int tokens)
    {
        Rotary = rotary;
        HeadSize = headSize;
        isOfStep = RotaryLength.Counts(rotary);
        frequencies = RotaryFrequencies.Compute(rotary, headSize);
        half = frequencies.Inverse.Count;
        width = (rotary.Decay is null ? 2 : 4) * half;
        // A span that begins with the sequence is one ahead of its places.
        buffer = new NativeBuffer((isOfStep ? tokens : positions + 1L) * width * sizeof(float));
    }

    /// <summary>Base and scaling.</summary>
    public RotaryDescription Rotary { get; }

    /// <summary>D.</summary>
    public int HeadSize { get; }

    /// <summary>R: elements of a head that turn.</summary>
    public int Size => 2 * half;

    /// <summary>From the angles of queries in a row to those of keys.</summary>
    public int KeyOffset => width - (2 * half);

    /// <summary>The row of a token of the step: R/2 cosines, then R/2 sines.</summary>
    public float* Row(StepBatch batch, int token) => Row(isOfStep ? token : batch.TextPositions[token]);

    /// <summary>The same for a token whose first half of the pairs turns by its position in the text and whose second by that in the span.</summary>
    public void Join(StepBatch batch, int token, float* target)
    {
        var text = Row(batch.TextPositions[token]);
        var span = Row(batch.SpanPositions[token]);
        for (var part = 0; part < 2; part++)
        {
            new ReadOnlySpan<float>(text + (part * half), half / 2).CopyTo(new(target + (part * half), half / 2));
            new ReadOnlySpan<float>(span + (part * half) + (half / 2), half / 2).CopyTo(new(target + (part * half) + (half / 2), half / 2));
        }
    }

    /// <summary>Makes the rows of a step valid. Called between its parallel pieces, by one thread.</summary>
    public void Prepare(StepBatch batch)
    {
        if (isOfStep && step == batch.Number)
            return;
        step = batch.Number;
        for (var i = 0; i < batch.SequenceCount; i++)
        {
            if (isOfStep)
                Fill(batch, i);
            else
                Reach(batch.Positions[batch.SequenceStarts[i + 1] - 1] + 1);
        }
    }

    public void Dispose() => buffer.Dispose();

    private float* Row(int row) => (float*)buffer.Address + ((nint)row * width);

    private void Reach(int position)
    {
        for (; filled <= position; filled++)
            Fill(Row(filled), filled);
    }

    private void Fill(StepBatch batch, int sequence)
    {
        for (var token = batch.SequenceStarts[sequence]; token < batch.SequenceStarts[sequence + 1]; token++)
        {
            var now = RotaryLength.At(Rotary, batch.PromptLengths[sequence], batch.Positions[token]);
            if (now != length)
                (length, frequencies) = (now, RotaryFrequencies.Compute(Rotary, HeadSize, now));
            Fill(Row(token), batch.Positions[token]);
        }
    }

    [MethodImpl(Hot.Path)]
    private void Fill(float* row, int position)
    {
        for (var i = 0; i < half; i++)
        {
            var (sin, cos) = Math.SinCos(position * frequencies.Inverse[i]);
            row[i] = (float)cos * frequencies.Magnitude;
            row[half + i] = (float)sin * frequencies.Magnitude;
            if (Rotary.Decay is not { } decay)
                continue;
            var factor = (float)decay.Factor(i, half, position);
            (row[(2 * half) + i], row[(3 * half) + i]) = (row[i] / factor, row[half + i] / factor);
            (row[i], row[half + i]) = (row[i] * factor, row[half + i] * factor);
        }
    }
}
