using System.Text.Json;
using Google.Protobuf;
using Weft.Tokenizers;

namespace Weft.Convert.Tokenizers;

/// <summary>Reads SentencePiece's tokenizer.model (sentencepiece_model.proto), of type BPE.</summary>
internal static class SentencePieceFile
{
    private const string Space = "\u2581";

    private enum PieceType
    {
        Normal = 1,
        Unknown = 2,
        Control = 3,
        UserDefined = 4,
        Unused = 5,
        Byte = 6,
    }

    public static TokenizerDescription Read(string path, string configPath)
    {
        var model = new ModelProto();
        try
        {
            model.Read(new CodedInputStream(File.ReadAllBytes(path)));
        }
        catch (InvalidProtocolBufferException exception)
        {
            throw new WeftException($"this is not a SentencePiece model: {exception.Message}", exception);
        }

        if (model.Pieces.Count == 0)
            throw new WeftException("this is not a SentencePiece model: it has no pieces");
        if (model.ModelType != 2)
            throw TokenizerJson.Unsupported("SentencePiece model type", model.ModelType == 1 ? "unigram" : $"{model.ModelType}", "BPE (2)");
        if (model.CharacterMapLength > 0)
            throw TokenizerJson.Unsupported("SentencePiece normalization", model.NormalizerName, "identity");
        return Describe(model, configPath);
    }

    private static TokenizerDescription Describe(ModelProto model, string configPath)
    {
        var normalizers = new List<NormalizerStep>();
        if (model.RemoveExtraSpaces)
            normalizers.Add(new() { Kind = NormalizerKind.CollapseSpaces });
        if (model.AddDummyPrefix)
            normalizers.Add(new() { Kind = NormalizerKind.Prepend, Content = " " });
        if (model.EscapeSpaces)
            normalizers.Add(new() { Kind = NormalizerKind.Replace, Pattern = " ", Content = Space });
        var (prefix, suffix, added) = ReadConfig(configPath, model);
        return new TokenizerDescription
        {
            AddedTokens = added,
            Normalizers = normalizers,
            Model = new BpeDescription
            {
                Tokens = [.. model.Pieces.Select(piece => piece.Text)],
                Scores = [.. model.Pieces.Select(piece => piece.Score)],
                ControlTokens = model.IdsOf(PieceType.Control, PieceType.Unknown, PieceType.Unused),
                WholeTokens = model.IdsOf(PieceType.UserDefined),
                ByteFallback = model.IdsOf(PieceType.Byte).Count > 0,
                Unknown = model.IdsOf(PieceType.Unknown).Cast<int?>().FirstOrDefault(),
                FuseUnknown = true,
            },
            Prefix = prefix,
            Suffix = suffix,
            Decoder = new DecoderDescription
            {
                ByteFallback = true,
                Space = model.EscapeSpaces ? Space : null,
                StripLeft = model.AddDummyPrefix ? 1 : 0,
            },
        };
    }

    /// <summary>What tokenizer_config.json adds: BOS and EOS around the text, and tokens beyond the model's.</summary>
    private static (int[] Prefix, int[] Suffix, AddedToken[] Added) ReadConfig(string path, ModelProto model)
    {
        if (!File.Exists(path))
            return (model.Find("<s>") is { } s ? [s] : [], [], []);
        using var document = JsonDocument.Parse(File.ReadAllBytes(path));
        var config = document.RootElement;
        int[] Ids(string flag, string token, bool whenMissing) =>
            config.Flag(flag, whenMissing) && Content(config.Optional(token)) is { } text && model.Find(text) is { } id ? [id] : [];
        var added = config.Optional("added_tokens_decoder") is { } tokens
            ? tokens.EnumerateObject().Select(entry => new AddedToken
            {
                Id = int.Parse(entry.Name, System.Globalization.CultureInfo.InvariantCulture),
                Content = entry.Value.GetProperty("content").GetString()!,
                Special = entry.Value.Flag("special"),
                StripLeft = entry.Value.Flag("lstrip"),
                StripRight = entry.Value.Flag("rstrip"),
                SingleWord = entry.Value.Flag("single_word"),
            }).ToArray()
            : [];
        return (Ids("add_bos_token", "bos_token", true), Ids("add_eos_token", "eos_token", false), added);
    }

    private static string? Content(JsonElement? token) => token switch
    {
        { ValueKind: JsonValueKind.String } text => text.GetString(),
        { ValueKind: JsonValueKind.Object } value => value.GetProperty("content").GetString(),
        _ => null,
    };

    private sealed record Piece(string Text, float Score, PieceType Type);

    /// <summary>The fields of the message that matter here, with the defaults of its definition.</summary>
    private sealed class ModelProto
    {
        public List<Piece> Pieces { get; } = [];

        public int ModelType { get; private set; } = 1;

        public string NormalizerName { get; private set; } = "";

        public int CharacterMapLength { get; private set; }

        public bool AddDummyPrefix { get; private set; } = true;

        public bool RemoveExtraSpaces { get; private set; } = true;

        public bool EscapeSpaces { get; private set; } = true;

        public List<int> IdsOf(params PieceType[] types) =>
            [.. Enumerable.Range(0, Pieces.Count).Where(id => types.Contains(Pieces[id].Type))];

        public int? Find(string text) => Pieces.FindIndex(piece => piece.Text == text) is >= 0 and var id ? id : null;

        public void Read(CodedInputStream input) => ReadFields(input, (field, stream) =>
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
            if (field != 3)
                return false;
            ModelType = stream.ReadEnum();
            return true;
        });

        private void ReadNormalizer(ByteString bytes) => ReadFields(bytes.CreateCodedInput(), (field, stream) =>
        {
            switch (field)
            {
                case 1:
                    NormalizerName = stream.ReadString();
                    return true;
                case 2:
                    CharacterMapLength = stream.ReadBytes().Length;
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
}
