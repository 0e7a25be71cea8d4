using Weft.KvCache;

namespace Weft.Scheduling;

/// <summary>Where a request stands.</summary>
internal enum RequestState
{
    /// <summary>It waits for its first step, or to come back after it gave way.</summary>
    Waiting,

    /// <summary>It holds blocks and takes part in steps.</summary>
    Running,

    /// <summary>It holds nothing any more.</summary>
    Finished,
}

/// <summary>A text that a sequence attends to, encoded in the sequence's first step.</summary>
/// <param name="Tokens">All of it, at least one.</param>
/// <param name="Table">Its blocks; as long as the tokens once it is encoded, and else empty.</param>
internal sealed record RequestSource(int[] Tokens, BlockTable Table)
{
    /// <summary>What sequences attend to is in the cache, or comes there with a step that was planned.</summary>
    public bool IsEncoded => Table.Length > 0;
}

/// <summary>One sequence to continue, as the scheduler sees it: its tokens, its blocks and how far it is.</summary>
internal class Request : IComparable<Request>
{
    /// <summary>Creates a waiting request.</summary>
    /// <param name="prompt">At least one token.</param>
    /// <param name="maxTokens">Tokens to draw, at least one; with the prompt no more than the table takes.</param>
    /// <param name="table">Its blocks: none yet.</param>
    /// <param name="order">Who is served first, the smallest; see <see cref="Scheduler"/>.</param>
    /// <param name="id">Decides between equals.</param>
    public Request(ReadOnlySpan<int> prompt, int maxTokens, BlockTable table, long order, long id)
    {
        Tokens = new List<int>(prompt.Length + 16);
        Tokens.AddRange(prompt);
        PromptLength = prompt.Length;
        KeyLength = prompt.Length;
        DrawsLeft = maxTokens;
        Table = table;
        Order = order;
        Id = id;
    }

    /// <summary>Number of the request.</summary>
    public long Id { get; }

    /// <summary>Its place in the line.</summary>
    public long Order { get; }

    /// <summary>The prompt and the tokens drawn, as far as they are known here.</summary>
    public List<int> Tokens { get; }

    /// <summary>Tokens of the prompt.</summary>
    public int PromptLength { get; }

    /// <summary>The first tokens of the prompt that are the model's own and not the caller's.</summary>
    public int VirtualTokens { get; init; }

    /// <summary>Tokens of the text whose length its keys are made for: the prompt's, until it grows beyond what they last for.</summary>
    public int KeyLength { get; set; }

    /// <summary>Its blocks; its length is what steps have computed, or are computing.</summary>
    public BlockTable Table { get; }

    /// <summary>Wants the logits of every token of the prompt, so none can come out of the prefix cache.</summary>
    public bool WantsPromptLogits { get; init; }

    /// <summary>Tokens of its prompt that see each other; the first step of it takes them all, and none come out of the prefix cache.</summary>
    public Prefix Prefix { get; init; }

    /// <summary>What it attends to beside its own tokens; null for nothing. Nothing of it comes out of the prefix cache: keys depend on the source.</summary>
    public RequestSource? Source { get; init; }

    /// <summary>It only needs its next token computed.</summary>
    public bool IsDecoding => Missing == 1 && (Source is null || Source.IsEncoded);

    /// <summary>Where it stands; the scheduler changes it.</summary>
    public RequestState State { get; set; }

    /// <summary>Blocks that the prefix cache knows.</summary>
    public PrefixPosition Position { get; set; }

    /// <summary>Snapshots of its state that submitted steps make and that cannot be found yet.</summary>
    public List<StateSnapshot> Snapshots { get; } = [];

    /// <summary>Tokens after which its state is wanted: another request began with them, too, and found none.</summary>
    public int SharedTokens { get; set; }

    /// <summary>Slot of the snapshot that it starts from, until it has been read.</summary>
    public int? HeldSnapshot { get; set; }

    /// <summary>Contents of the snapshot of tokens that it drew: the next one takes its place. 0 for none.</summary>
    public long DrawnSnapshot { get; set; }

    /// <summary>Tokens that it found in the prefix cache when it started, without virtual ones.</summary>
    public int? CachedTokens { get; set; }

    /// <summary>Tokens still to be drawn, without those that steps are drawing.</summary>
    public int DrawsLeft { get; private set; }

    /// <summary>Tokens that submitted steps draw and that are not known yet.</summary>
    public int Drawing { get; private set; }

    /// <summary>Row of logits from which the last of those is drawn.</summary>
    public int DrawnRow { get; private set; }

    /// <summary>Tokens without keys and values that a step could compute now.</summary>
    public int Missing => DrawsLeft == 0 ? 0 : Tokens.Count + Drawing - Table.Length;

    /// <summary>A submitted step draws its next token.</summary>
    public void Draw(int row)
    {
        DrawnRow = row;
        Drawing++;
        DrawsLeft--;
    }

    /// <summary>The first token that was being drawn is known.</summary>
    public void Receive(int token)
    {
        Drawing--;
        Tokens.Add(token);
    }

    /// <summary>The steps that were to draw tokens failed.</summary>
    public void Undraw()
    {
        DrawsLeft += Drawing;
        Drawing = 0;
    }

    /// <inheritdoc/>
    public int CompareTo(Request? other) => other is null ? 1 : (Order, Id).CompareTo((other.Order, other.Id));
}
