using Google.Protobuf;

namespace Weft.Convert.Tokenizers;

/// <summary>What a piece is.</summary>
internal enum PieceType
{
    Normal = 1,
    Unknown = 2,
    Control = 3,
    UserDefined = 4,
    Unused = 5,
    Byte = 6,
}

/// <summary>One piece.</summary>
internal sealed record Piece(string Text, float Score, PieceType Type);

/// <summary>SentencePiece's message (sentencepiece_model.proto): the fields that matter here, with the defaults of its definition.</summary>
internal sealed class SentencePieceModel
{
    public List<Piece> Pieces { get; } = [];

    public int ModelType { get; private set; } = 1;

    /// <summary>The compiled table of replacements, which may be empty.</summary>
    public byte[] CharacterMap { get; private set; } = [];

    public bool SpacesAreSuffixes { get; private set; }

    /// <summary>Whether there are rules for texts that are decoded.</summary>
    public bool HasDenormalizer { get; private set; }

    /// <summary>What the unknown token decodes to.</summary>
    public string UnknownSurface { get; private set; } = " \u2047 ";

    public bool AddDummyPrefix { get; private set; } = true;

    public bool RemoveExtraSpaces { get; private set; } = true;

    public bool EscapeSpaces { get; private set; } = true;

    public List<int> IdsOf(params PieceType[] types) =>
        [.. Enumerable.Range(0, Pieces.Count).Where(id => types.Contains(Pieces[id].Type))];

    public int? Find(string text) => Pieces.FindIndex(piece => piece.Text == text) is >= 0 and var id ? id : null;

    /// <summary>Reads a model.</summary>
    /// <exception cref="WeftException">It is none.</exception>
    public static SentencePieceModel Read(byte[] bytes)
    {
        var model = new SentencePieceModel();
        try
        {
            model.Read(new CodedInputStream(bytes));
        }
        catch (InvalidProtocolBufferException exception)
        {
            throw new WeftException($"this is not a SentencePiece model: {exception.Message}", exception);
        }

        return model.Pieces.Count > 0 ? model : throw new WeftException("this is not a SentencePiece model: it has no pieces");
    }

    private void Read(CodedInputStream input) => ReadFields(input, (field, stream) =>
    {
        switch (field)
        {
            case 1:
                Pieces.Add(ReadPiece(stream.ReadBytes()));
                return true;
            case 2:
                ReadTrainer(stream.ReadBytes());
                return true;
            case 3:
                ReadNormalizer(stream.ReadBytes());
                return true;
            case 5:
                ReadDenormalizer(stream.ReadBytes());
                return true;
            default:
                return false;
        }
    });

    private static Piece ReadPiece(ByteString bytes)
    {
        var (text, score, type) = ("", 0f, PieceType.Normal);
        ReadFields(bytes.CreateCodedInput(), (field, stream) =>
        {
            switch (field)
            {
                case 1:
                    text = stream.ReadString();
                    return true;
                case 2:
                    score = stream.ReadFloat();
                    return true;
                case 3:
                    type = (PieceType)stream.ReadEnum();
                    return true;
                default:
                    return false;
            }
        });
        return new(text, score, type);
    }

    private void ReadTrainer(ByteString bytes) => ReadFields(bytes.CreateCodedInput(), (field, stream) =>
    {
        switch (field)
        {
            case 3:
                ModelType = stream.ReadEnum();
                return true;
            case 24:
                SpacesAreSuffixes = stream.ReadBool();
                return true;
            case 44:
                UnknownSurface = stream.ReadString();
                return true;
            default:
                return false;
        }
    });

    private void ReadNormalizer(ByteString bytes) => ReadFields(bytes.CreateCodedInput(), (field, stream) =>
    {
        switch (field)
        {
            case 2:
                CharacterMap = stream.ReadBytes().ToByteArray();
                return true;
            case 3:
                AddDummyPrefix = stream.ReadBool();
                return true;
            case 4:
                RemoveExtraSpaces = stream.ReadBool();
                return true;
            case 5:
                EscapeSpaces = stream.ReadBool();
                return true;
            default:
                return false;
        }
    });

    private void ReadDenormalizer(ByteString bytes) => ReadFields(bytes.CreateCodedInput(), (field, stream) =>
    {
        if (field != 2)
            return false;
        HasDenormalizer = stream.ReadBytes().Length > 0;
        return true;
    });

    /// <summary>Hands each field's number to <paramref name="read"/>, which reads it or returns false to skip it.</summary>
    private static void ReadFields(CodedInputStream input, Func<int, CodedInputStream, bool> read)
    {
        uint tag;
        while ((tag = input.ReadTag()) != 0)
        {
            if (!read(WireFormat.GetTagFieldNumber(tag), input))
                input.SkipLastField();
        }
    }
}
