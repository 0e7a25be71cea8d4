using System.Diagnostics;
using System.Runtime.InteropServices;
using Weft.Backends;
using Weft.Scheduling;

namespace Weft.Serving;

/// <summary>A step that was submitted: whose tokens it computes, and which row of logits belongs to whom.</summary>
internal sealed class StepRecord
{
    private readonly List<(GenerationRequest Request, Share Share, int FirstRow)> entries = [];

    /// <summary>Whose tokens.</summary>
    public IReadOnlyList<(GenerationRequest Request, Share Share, int FirstRow)> Entries => entries;

    /// <summary>The host reads rows of it, so no further step can be submitted before it has.</summary>
    public bool DrawsOnHost { get; private set; }

    /// <summary>Tokens that it computes, those of sources included.</summary>
    public int Tokens { get; private set; }

    /// <summary>R.</summary>
    public int Rows { get; private set; }

    /// <summary>Number of the step in its program.</summary>
    public long Number { get; private set; }

    /// <summary>When it was submitted, in units of <see cref="Stopwatch"/>.</summary>
    public long Submitted { get; private set; }

    /// <summary>Forgets the step.</summary>
    public void Clear()
    {
        entries.Clear();
        (DrawsOnHost, Tokens, Rows) = (false, 0, 0);
    }

    /// <summary>Takes the shares of a step.</summary>
    public void Fill(IReadOnlyList<Share> shares)
    {
        Clear();
        foreach (var share in shares)
        {
            var request = (GenerationRequest)share.Request;
            if (request.MustResume)
                request.Resume();
            entries.Add((request, share, Rows));
            Tokens += share.Work;
            Rows += share.RowCount;
            DrawsOnHost |= share.Rows != LogitRows.None && (request.HostSampler is not null || request.Pooler is not null);
        }
    }

    /// <summary>Submits the step.</summary>
    public void Submit(StepProgram program)
    {
        var batch = program.Batch;
        batch.Clear();
        foreach (var (request, share, _) in entries)
        {
            var known = CollectionsMarshal.AsSpan(request.Tokens);
            var tokens = share.First < known.Length ? known.Slice(share.First, share.Count) : [StepBatch.DrawnBy(request.DrawnRow)];
            batch.ReadHidden |= request.Pooler is not null;
            // Where it makes no difference what they are, several tokens go together as a prompt's do; virtual ones are a prompt's always.
            var drawn = program.TellsDrawnApart ? share.DrawnCount : share.Count == 1 && share.First >= request.VirtualTokens ? 1 : 0;
            batch.Add(tokens, share.First, request.Table, share.Rows, drawn, request.HostSampler is null ? request.Sampler : null, request.KeyLength, request.Prefix, request.Source?.Table);
            if (share.Encodes)
                batch.AddSource(request.Source!.Tokens, request.Source.Table);
            foreach (var snapshot in request.Snapshots)
                batch.Snapshot(snapshot);
        }

        Submitted = Stopwatch.GetTimestamp();
        Number = program.Submit();
        foreach (var (request, share, row) in entries)
        {
            if (share.Draws)
                request.Draw(row + share.RowCount - 1);
        }
    }
}
